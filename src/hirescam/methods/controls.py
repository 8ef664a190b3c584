"""Controls: maps that know nothing of the network, for any metric to beat."""

import torch
from einops import rearrange
from jaxtyping import Float, Num
from torch import Tensor, nn

from hirescam.methods._engine import capture_at
from hirescam.methods.targets import Targets


def control_map(
    network: nn.Module,
    x: Num[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
    seed: int = 0,
) -> Float[Tensor, "batch target *space"]:
    """Normal noise in the space of the input (or of `layer`), another for each target.

    Drawn by a generator of its own, the same for every image.
    """
    seen = capture_at(network, x, layer)
    random = torch.Generator().manual_seed(seed)
    space = seen.activation.shape[2:]
    noise = torch.randn(space.numel(), 1, seen.scores.shape[1], generator=random)
    rows = noise.to(seen.activation).repeat(1, len(x), 1).flatten(0, 1)
    picked = seen.pick(targets)(rows)  # as if every place were a batch of scores
    maps = rearrange(picked, "(place batch) target -> batch target place", batch=len(x))
    return torch.unflatten(maps, 2, space)


def centre_map(
    network: nn.Module,
    x: Num[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
) -> Float[Tensor, "batch target *space"]:
    """Closeness to the centre of the input (or of `layer`): 1 there, 0 in the corners.

    The same for every image and target. Distances count in half-lengths of each axis.
    """
    seen = capture_at(network, x, layer)
    space = seen.activation.shape[2:]
    lines = [(torch.arange(length) + 0.5) / length * 2 - 1 for length in space]
    squares = torch.stack(torch.meshgrid(*lines, indexing="ij")).square()
    distance = squares.sum(dim=0).sqrt()
    corner = distance.amax().clamp(min=torch.finfo(distance.dtype).tiny)
    one = (1 - distance / corner).to(seen.activation)
    return one.repeat(*seen.pick(targets)(seen.scores).shape, *[1] * len(space))
