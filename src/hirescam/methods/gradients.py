"""Gradients: how each target's score would change with the input, or with a layer.

They say what the score is sensitive to; times the value they say what it is made of, as far
as the network is linear there. SmoothGrad and integrated gradients average them.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from hirescam.methods._engine import Capture, capture, capture_at, capture_with, scores_with
from hirescam.methods.targets import Targets


def saliency(
    network: nn.Module,
    x: Float[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
    per_channel: bool = False,
) -> Float[Tensor, "batch target *space"]:
    """Absolute gradient of each score at the input (or `layer`), the largest of all channels.

    `signed_gradient` keeps the sign. Simonyan et al., "Deep inside convolutional networks",
    arXiv:1312.6034.
    """
    seen = capture_at(network, x, layer)
    return gradients_of(seen, targets, absolute=True, per_channel=per_channel)


def signed_gradient(
    network: nn.Module,
    x: Float[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
    per_channel: bool = False,
) -> Float[Tensor, "batch target *space"]:
    """Gradient of each score at the input (or at `layer`), signed, summed over channels."""
    return gradients_of(capture_at(network, x, layer), targets, per_channel=per_channel)


def input_times_gradient(
    network: nn.Module,
    x: Float[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
    per_channel: bool = False,
) -> Float[Tensor, "batch target *space"]:
    """Gradient of each score times the input, summed over channels: HiResCAM at the input.

    Shrikumar et al., "Not just a black box", arXiv:1605.01713.
    """
    return gradient_times_value(capture_at(network, x, layer), targets, per_channel=per_channel)


def gradient_times_activation(
    network: nn.Module,
    x: Float[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
    per_channel: bool = False,
) -> Float[Tensor, "batch target *space"]:
    """HiResCAM whose channels stay apart on request: (batch, target, channel, *space).

    Draelos and Carin, arXiv:2011.08891, equation 6 before its sum over features.
    """
    seen = capture(network, x, layer=layer)
    return gradient_times_value(seen, targets, per_channel=per_channel)


def gradient_times_value(
    seen: Capture, targets: Targets = "all", *, per_channel: bool = False
) -> Float[Tensor, "batch target *space"]:
    """Gradient times what was captured, channel by channel or summed."""
    value = seen.activation.detach()
    products = (gradient * value for gradient in seen.gradients(targets))
    maps = [each if per_channel else each.sum(dim=2) for each in products]
    return torch.cat(maps).transpose(0, 1)


def gradients_of(
    seen: Capture,
    targets: Targets = "all",
    *,
    absolute: bool = False,
    per_channel: bool = False,
) -> Float[Tensor, "batch target *space"]:
    """Gradients at what was captured: every channel, their sum, or the largest absolute one."""
    gradients = (each.abs() if absolute else each for each in seen.gradients(targets))
    if per_channel:
        maps = list(gradients)
    else:
        maps = [each.amax(dim=2) if absolute else each.sum(dim=2) for each in gradients]
    return torch.cat(maps).transpose(0, 1)


def smoothgrad(
    network: nn.Module,
    x: Float[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
    n_samples: int = 25,
    noise: float = 0.15,
    seed: int = 0,
    per_channel: bool = False,
) -> Float[Tensor, "batch target *space"]:
    """Average `signed_gradient` of `n_samples` noisy copies of x; the noise is normal.

    `noise` is its standard deviation as a fraction of each image's range of values. All images
    get the same noise, so a batch gives the maps of its images. One copy runs at a time.
    """
    pick = capture_at(network, x, layer).pick(targets)
    random = torch.Generator().manual_seed(seed)
    flat = x.flatten(1)
    spread = noise * (flat.amax(dim=1) - flat.amin(dim=1))
    spread = spread.view(-1, *[1] * (x.ndim - 1))
    total = torch.zeros((), dtype=x.dtype, device=x.device)
    for _ in range(n_samples):
        noisy = x + spread * torch.randn(x.shape[1:], generator=random).to(x)
        seen = capture_at(network, noisy, layer)
        total = total + gradients_of(seen, pick, per_channel=per_channel)
    return total / n_samples


Baseline = float | Float[Tensor, "..."]
"""The uninformative value of the input (or layer): one number, or a tensor shaped like it."""


def integrated_gradients(
    network: nn.Module,
    x: Float[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
    baseline: Baseline = 0.0,
    n_steps: int = 32,
    per_channel: bool = False,
) -> Float[Tensor, "batch target *space"]:
    """Map that adds up to how much each score rose from `baseline`, as `n_steps` grow.

    With Gauss-Legendre steps, one forward pass each; `completeness_gap` tells what is missing
    from the sum. With `layer`, the way runs through that layer's activations.
    """
    start = capture_at(network, x, layer)
    pick, end = start.pick(targets), start.activation.detach()
    way = end - baseline
    nodes, weights = np.polynomial.legendre.leggauss(n_steps)
    total = torch.zeros((), dtype=end.dtype, device=end.device)
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        seen = capture_with(end - (1 - node) * way, network, x, layer)
        parts = [weight * gradient * way for gradient in seen.gradients(pick)]
        total = total + torch.cat([each if per_channel else each.sum(dim=2) for each in parts])
    return total.transpose(0, 1)


def completeness_gap(
    maps: Float[Tensor, "batch target *space"],
    network: nn.Module,
    x: Float[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
    baseline: Baseline = 0.0,
) -> Float[Tensor, "batch target"]:
    """Sum of each map minus how much its score rose from `baseline`: 0 when complete."""
    seen = capture_at(network, x, layer)
    pick = seen.pick(targets)
    start = torch.zeros_like(seen.activation) + baseline
    unchanged = seen.activation, seen.scores
    (before,) = scores_with([start.detach()], pick, network, x, layer, unchanged=unchanged)
    return maps.flatten(2).sum(dim=2) - (pick(seen.scores.detach()) - before)
