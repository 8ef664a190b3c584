"""Grad-CAM: one weight per channel, the gradient averaged over space.

Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based
localization", ICCV 2017; over a whole volume as in Draelos and Carin, arXiv:2011.08891.
"""

import torch
from einops import einsum
from jaxtyping import Float
from torch import Tensor, nn

from hirescam.methods.capture import Capture, Targets, capture


def gradcam(
    network: nn.Module,
    x: Float[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
) -> Float[Tensor, "batch target *space"]:
    """Map where `layer` was active in channels that raise a target's score on average.

    Signed: the paper's final ReLU is left to the caller. The map adds up to the score only
    where gradients are the same at every place; `audit` tells.
    """
    return gradcam_maps(capture(network, x, layer=layer), targets)


def gradcam_maps(
    seen: Capture, targets: Targets = "all"
) -> Float[Tensor, "batch target *space"]:
    """Grad-CAM of what was captured."""
    activation = seen.activation.detach()
    space = tuple(range(3, activation.ndim + 1))
    weights = torch.cat([gradient.mean(dim=space) for gradient in seen.gradients(targets)])
    return einsum(weights, activation, "target b channel, b channel ... -> b target ...")
