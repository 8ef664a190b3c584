"""CAM: HiResCAM, Grad-CAM and its family, CAM and Eigen-CAM: maps of a layer's channels.

Every map is the sum over channels of weight times activation, raw and signed: the papers'
final ReLU is left to the caller. HiResCAM's weight is the gradient itself, so its maps add up
to the score wherever everything above the layer is affine; `audit` tells where that is so.

Draelos and Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of
convolutional neural networks", arXiv:2011.08891, 2020.
"""

from collections.abc import Callable

import torch
from einops import einsum, rearrange
from jaxtyping import Float, Num
from torch import Tensor, nn

from hirescam.errors import LayerError
from hirescam.methods._audit import Kind, audit
from hirescam.methods._engine import Capture, capture
from hirescam.methods.targets import Targets

PRODUCT_BYTES = 2 * 2**20
"""How much memory products of gradient and activation may take at a time."""


def hirescam(
    network: nn.Module,
    x: Num[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
    create_graph: bool = False,
) -> Float[Tensor, "batch target *space"]:
    """Map where `layer` raised (positive) or lowered (negative) the score of each target.

    If everything after `layer` is affine, each map sums to the score minus a constant, so
    nothing the network used is missing from it. `audit` tells whether that holds.
    With `create_graph` the maps can be part of a loss: gradients reach every parameter. They
    are those of evaluation mode; for a linear head `linear_head_maps` is cheaper.
    """
    seen = capture(network, x, layer=layer, create_graph=create_graph)
    return hirescam_maps(seen, targets, create_graph=create_graph)


def hirescam_maps(
    seen: Capture, targets: Targets = "all", *, create_graph: bool = False
) -> Float[Tensor, "batch target *space"]:
    """HiResCAM of what was captured; in float32 where that has fewer digits."""
    with torch.set_grad_enabled(create_graph):
        activation = _precise(seen.activation)
        few = max(1, PRODUCT_BYTES // max(1, activation.numel() * activation.element_size()))
        maps = [
            (_precise(gradients) * activation).sum(dim=2)
            for some in seen.gradients(targets, create_graph=create_graph)
            for gradients in torch.split(some, few)
        ]
        return rearrange(torch.cat(maps), "target batch ... -> batch target ...")


def _precise(values: Tensor) -> Tensor:
    return values if values.dtype == torch.float64 else values.float()


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
    return gradcam_plus_plus_maps(capture(network, x, layer=layer), targets)


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
    return xgradcam_maps(capture(network, x, layer=layer), targets)


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
    return layercam_maps(capture(network, x, layer=layer), targets)


def gradcam_plus_plus_maps(
    seen: Capture, targets: Targets = "all"
) -> Float[Tensor, "batch target *space"]:
    """Grad-CAM++ of what was captured."""
    return weighted_maps(seen, targets, plus_plus)


def xgradcam_maps(
    seen: Capture, targets: Targets = "all"
) -> Float[Tensor, "batch target *space"]:
    """XGrad-CAM of what was captured."""
    return weighted_maps(seen, targets, by_activation)


def layercam_maps(
    seen: Capture, targets: Targets = "all"
) -> Float[Tensor, "batch target *space"]:
    """LayerCAM of what was captured."""
    return weighted_maps(seen, targets, positive_gradient)


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


def cam(
    network: nn.Module,
    x: Num[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
) -> Float[Tensor, "batch target *space"]:
    """Map of each place's own score: averaged over places, it is the score minus the bias.

    So it is HiResCAM times the number of places. Any other head than averaging over places
    followed by one linear layer has no such weights and raises LayerError; an audit decides.
    """
    kind = audit(network, x, layer=layer, targets=targets).kind
    if kind is not Kind.CAM:
        raise LayerError(
            f"CAM needs a network that averages this layer over space and ends in one linear "
            f"layer, but this one is {kind}: use hirescam"
        )
    maps = hirescam_maps(capture(network, x, layer=layer), targets)
    return maps * maps[0, 0].numel()


def eigencam(
    network: nn.Module,
    x: Num[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
) -> Float[Tensor, "batch target *space"]:
    """Map of the activation along its first principal direction, the same for every target.

    Not specific to a label: it explains no score. The direction's sign, which is arbitrary, is
    the one that makes the map's sum positive.
    """
    return eigencam_maps(capture(network, x, layer=layer), targets)


def eigencam_maps(
    seen: Capture, targets: Targets = "all"
) -> Float[Tensor, "batch target *space"]:
    """Eigen-CAM of what was captured."""
    activation = seen.activation.detach()
    flat = activation.flatten(2).double()
    directions = torch.linalg.svd(flat, full_matrices=False).U[:, :, 0]
    one = einsum(directions, flat, "b c, b c place -> b place")
    one = one * torch.where(one.sum(dim=1, keepdim=True) < 0, -1, 1)
    one = one.to(activation.dtype).unflatten(1, activation.shape[2:])
    count = seen.pick(targets)(seen.scores).shape[1]
    return one[:, None].repeat(1, count, *[1] * (one.ndim - 1))
