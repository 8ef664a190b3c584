"""HiResCAM: gradient times activation, element by element, summed over channels.

Draelos and Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of
convolutional neural networks", arXiv:2011.08891, 2020, equation 6.
"""

import torch
from einops import rearrange
from jaxtyping import Float, Num
from torch import Tensor, nn

from hirescam.methods.capture import Capture, capture
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
