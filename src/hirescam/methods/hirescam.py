"""HiResCAM: gradient times activation, element by element, summed over channels.

Draelos and Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of
convolutional neural networks", arXiv:2011.08891, 2020, equation 6.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hirescam.methods.capture import Capture, Targets, capture


def hirescam(
    network: nn.Module,
    x: Float[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
) -> Float[Tensor, "batch target *space"]:
    """Map where `layer` raised (positive) or lowered (negative) the score of each target.

    If everything after `layer` is affine, each map sums to the score minus a constant, so
    nothing the network used is missing from it. `audit` tells whether that holds.
    """
    return hirescam_maps(capture(network, x, layer=layer), targets)


def hirescam_maps(
    seen: Capture, targets: Targets = "all"
) -> Float[Tensor, "batch target *space"]:
    """HiResCAM of what was captured."""
    activation = seen.activation.detach()
    maps = [(gradient * activation).sum(dim=2) for gradient in seen.gradients(targets)]
    return torch.cat(maps).transpose(0, 1)
