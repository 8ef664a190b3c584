"""Score-CAM and Ablation-CAM: channels weighed by trying, without a gradient.

Each channel costs a run of the network, so only the `budget` channels of most activation
energy (sum of squares, chosen for each image) are tried; the others weigh nothing.
"""

from collections.abc import Iterator

import torch
from einops import einsum
from jaxtyping import Float, Int
from torch import Tensor, nn

from hirescam.methods.capture import capture
from hirescam.methods.place import scores_with
from hirescam.methods.stretch import stretched
from hirescam.methods.targets import Targets


def scorecam(
    network: nn.Module,
    x: Float[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
    budget: int | None = 64,
) -> Float[Tensor, "batch target *space"]:
    """Map of `layer` whose channels weigh as much as the input that they let through scores.

    The weights of a target are the softmax over channels of its scores for x times each
    channel, stretched over x and scaled to 0…1: all positive, so what lowers a score is not
    told apart. Wang et al., "Score-CAM", CVPR workshops 2020, arXiv:1910.01279.
    """
    seen = capture(network, x, layer=layer)
    activation = seen.activation.detach()
    strongest = _strongest(activation, budget)
    kept = _picked(activation, strongest)

    def let_through() -> Iterator[Tensor]:
        for channel in torch.split(kept, 1, dim=1):
            yield x.detach() * _scaled(stretched(channel, x, network))

    scores = scores_with(let_through(), seen.pick(targets), network, x)
    return einsum(scores.softmax(dim=0), kept, "c b t, b c ... -> b t ...")


def ablationcam(
    network: nn.Module,
    x: Float[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
    budget: int | None = 64,
) -> Float[Tensor, "batch target *space"]:
    """Map of `layer` whose channels weigh as much as the score falls without them.

    The paper divides this fall by the score; left out here, as a score may be 0 or negative.
    Desai and Ramaswamy, "Ablation-CAM", WACV 2020, equation 5.
    """
    seen = capture(network, x, layer=layer)
    activation = seen.activation.detach()
    strongest = _strongest(activation, budget)
    every = torch.arange(activation.shape[1], device=activation.device)

    def without() -> Iterator[Tensor]:
        for channel in torch.split(strongest, 1, dim=1):
            off = (every == channel).view(*activation.shape[:2], *[1] * (activation.ndim - 2))
            yield activation.masked_fill(off, 0)

    pick = seen.pick(targets)
    falls = pick(seen.scores.detach()) - scores_with(without(), pick, network, x, seen.layer)
    kept = _picked(activation, strongest)
    return einsum(falls, kept, "c b t, b c ... -> b t ...")


def _strongest(
    activation: Float[Tensor, "batch channel *space"], budget: int | None
) -> Int[Tensor, "batch kept"]:
    energy = activation.flatten(2).square().sum(dim=2)
    count = energy.shape[1]
    return energy.topk(count if budget is None else min(budget, count), dim=1).indices


def _picked(
    activation: Float[Tensor, "batch channel *space"], channels: Int[Tensor, "batch kept"]
) -> Float[Tensor, "batch kept *space"]:
    images = torch.arange(len(activation), device=activation.device)[:, None]
    return activation[images, channels]


def _scaled(channel: Float[Tensor, "batch 1 *space"]) -> Float[Tensor, "batch 1 *space"]:
    """From 0 to 1 in each image; all 0 where it is the same everywhere."""
    flat = channel.flatten(1)
    low, high = flat.amin(dim=1), flat.amax(dim=1)
    span = torch.where(high > low, high - low, 1)
    scaled = (flat - low[:, None]) / span[:, None]
    return scaled.view(channel.shape)
