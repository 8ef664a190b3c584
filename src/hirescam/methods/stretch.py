"""Stretch: a layer's map onto the space of the input, for methods that need both."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from hirescam.errors import LayerError
from hirescam.methods.state import unwrapped

MODES = {1: "linear", 2: "bilinear", 3: "trilinear"}


def stretched(
    maps: Float[Tensor, "batch target *space"],
    x: Float[Tensor, "batch channel *_"],
    network: nn.Module,
) -> Float[Tensor, "batch target *_"]:
    """Maps interpolated linearly to the space of x; LayerError where axes do not correspond."""
    if getattr(unwrapped(network), "channel_axis", 1) != 1:
        raise LayerError(
            "the second axis of this network's input is not its channels, so a layer's axes of "
            "space do not lie over those of the input: pick hirescam, gradcam or occlusion"
        )
    if maps.ndim != x.ndim or maps.ndim - 2 not in MODES:
        raise LayerError(
            f"a layer with {maps.ndim - 2} axes of space cannot be laid over an input of shape "
            f"{tuple(x.shape)}, expected (batch, channel, *space) with as many: pick another "
            f"layer or method"
        )
    mode = MODES[maps.ndim - 2]
    return F.interpolate(maps, x.shape[2:], mode=mode, align_corners=False)
