"""Integrated gradients: the gradient averaged along the way from a baseline, times the way.

Sundararajan et al., "Axiomatic attribution for deep networks", ICML 2017, arXiv:1703.01365.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from hirescam.methods.place import scores_with, seen_at, seen_with
from hirescam.methods.targets import Targets

Baseline = float | Float[Tensor, "..."]
"""The uninformative value of the input (or layer): one number, or a tensor shaped like it."""


def integrated_gradients(
    network: nn.Module,
    x: Float[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
    baseline: Baseline = 0.0,
    steps: int = 32,
    per_channel: bool = False,
) -> Float[Tensor, "batch target *space"]:
    """Map that adds up to how much each score rose from `baseline`, as `steps` grow.

    With Gauss-Legendre steps, one forward pass each; `completeness_gap` tells what is missing
    from the sum. With `layer`, the way runs through that layer's activations.
    """
    start = seen_at(network, x, layer)
    pick, end = start.pick(targets), start.activation.detach()
    way = end - baseline
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    total = torch.zeros((), dtype=end.dtype, device=end.device)
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        seen = seen_with(end - (1 - node) * way, network, x, layer)
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
    seen = seen_at(network, x, layer)
    pick = seen.pick(targets)
    start = torch.zeros_like(seen.activation) + baseline
    (before,) = scores_with([start.detach()], pick, network, x, layer)
    return maps.flatten(2).sum(dim=2) - (pick(seen.scores.detach()) - before)
