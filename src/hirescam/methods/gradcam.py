"""The Grad-CAM family: one weight per channel or place, made from the gradient.

Every map is the sum over channels of weight times activation, raw and signed: the papers'
final ReLU is left to the caller. None of them adds up to the score, except where the weight is
the gradient itself; `audit` tells where Grad-CAM's is.
"""

from collections.abc import Callable

import torch
from einops import einsum
from jaxtyping import Float, Num
from torch import Tensor, nn

from hirescam.methods.capture import Capture, capture
from hirescam.methods.targets import Targets

Weigh = Callable[
    [Float[Tensor, "target batch channel *space"], Float[Tensor, "batch channel *space"]],
    Float[Tensor, "target batch channel *weighed"],
]
"""From gradient and activation to weights, one per channel or one per channel and place."""


def gradcam(
    network: nn.Module,
    x: Num[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
) -> Float[Tensor, "batch target *space"]:
    """Map where `layer` was active in channels that raise a target's score on average.

    The weight is the gradient averaged over space. The map adds up to the score only where
    gradients are the same at every place; `audit` tells. Selvaraju et al., "Grad-CAM: visual
    explanations from deep networks via gradient-based localization", ICCV 2017; over a whole
    volume as in Draelos and Carin, arXiv:2011.08891.
    """
    return gradcam_maps(capture(network, x, layer=layer), targets)


def gradcam_maps(
    seen: Capture, targets: Targets = "all"
) -> Float[Tensor, "batch target *space"]:
    """Grad-CAM of what was captured."""
    return weighted_maps(seen, targets, average_gradient)


def gradcam_plus_plus(
    network: nn.Module,
    x: Num[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
) -> Float[Tensor, "batch target *space"]:
    """Map where `layer` was active in channels that raise a target's score somewhere.

    The paper explains exp(score); here its positive factor exp(score) is left out, so no score
    is too large. Chattopadhay et al., "Grad-CAM++", WACV 2018, equations 10 and 19.
    """
    return weighted_maps(capture(network, x, layer=layer), targets, plus_plus)


def xgradcam(
    network: nn.Module,
    x: Num[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
) -> Float[Tensor, "batch target *space"]:
    """Map where `layer` was active in channels whose activation raised a target's score.

    The weight is the gradient averaged over space in proportion to the activation, so the map
    has the sum of HiResCAM's and another shape. A channel whose activation sums to zero weighs
    nothing. Fu et al., "Axiom-based Grad-CAM", BMVC 2020, equation 8.
    """
    return weighted_maps(capture(network, x, layer=layer), targets, by_activation)


def layercam(
    network: nn.Module,
    x: Num[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
) -> Float[Tensor, "batch target *space"]:
    """Map where `layer` was active at places where more activity raises a target's score.

    The weight is the positive part of the gradient at each place: what lowers a score is
    missing. Jiang et al., "LayerCAM", IEEE Transactions on Image Processing 30, 2021.
    """
    return weighted_maps(capture(network, x, layer=layer), targets, positive_gradient)


def weighted_maps(
    seen: Capture, targets: Targets, weigh: Weigh
) -> Float[Tensor, "batch target *space"]:
    """Sum over channels of weight times activation."""
    activation = seen.activation.detach()
    maps = []
    for gradient in seen.gradients(targets):
        weights = weigh(gradient, activation)
        pattern = "t b c ..., b c ... -> b t ..."
        if weights.ndim == 3:
            pattern = "t b c, b c ... -> b t ..."
        maps.append(einsum(weights, activation, pattern))
    return torch.cat(maps, dim=1)


def average_gradient(gradient: Tensor, activation: Tensor) -> Tensor:
    """Grad-CAM's weights."""
    return gradient.flatten(3).mean(dim=3)


def plus_plus(gradient: Tensor, activation: Tensor) -> Tensor:
    """Grad-CAM++'s weights; its g² / (2g² + sum(A)g³) is 1 / (2 + sum(A)g) where g is not 0."""
    gradient = gradient.flatten(3)
    below = 2 + activation.flatten(2).sum(dim=2, keepdim=True) * gradient
    return (gradient.relu() / torch.where(below == 0, 1, below)).sum(dim=3)


def by_activation(gradient: Tensor, activation: Tensor) -> Tensor:
    """XGrad-CAM's weights."""
    activation = activation.flatten(2)
    total = activation.sum(dim=2)
    weighed = (gradient.flatten(3) * activation).sum(dim=3)
    return torch.where(total == 0, 0, weighed / torch.where(total == 0, 1, total))


def positive_gradient(gradient: Tensor, activation: Tensor) -> Tensor:
    """LayerCAM's weights."""
    return gradient.relu()
