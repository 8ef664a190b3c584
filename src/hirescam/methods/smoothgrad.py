"""SmoothGrad: the gradient, averaged over noisy copies of the input.

Smilkov et al., "SmoothGrad: removing noise by adding noise", arXiv:1706.03825.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hirescam.methods.gradients import gradients_of
from hirescam.methods.place import seen_at
from hirescam.methods.targets import Targets


def smoothgrad(
    network: nn.Module,
    x: Float[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
    samples: int = 25,
    noise: float = 0.15,
    seed: int = 0,
    per_channel: bool = False,
) -> Float[Tensor, "batch target *space"]:
    """Average `saliency` of `samples` copies of x, with normal noise of its own generator.

    `noise` is its standard deviation as a fraction of each image's range of values. All images
    get the same noise, so a batch gives the maps of its images. One copy runs at a time.
    """
    pick = seen_at(network, x, layer).pick(targets)
    random = torch.Generator().manual_seed(seed)
    flat = x.flatten(1)
    spread = noise * (flat.amax(dim=1) - flat.amin(dim=1))
    spread = spread.view(-1, *[1] * (x.ndim - 1))
    total = torch.zeros((), dtype=x.dtype, device=x.device)
    for _ in range(samples):
        noisy = x + spread * torch.randn(x.shape[1:], generator=random).to(x)
        seen = seen_at(network, noisy, layer)
        total = total + gradients_of(seen, pick, per_channel=per_channel)
    return total / samples
