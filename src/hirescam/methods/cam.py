"""CAM: the last layer's weights times the feature map, for networks built for it.

Zhou et al., "Learning deep features for discriminative localization", CVPR 2016.
"""

from jaxtyping import Float, Num
from torch import Tensor, nn

from hirescam.errors import LayerError
from hirescam.methods.capture import capture
from hirescam.methods.guarantee import Kind, audit
from hirescam.methods.hirescam import hirescam_maps
from hirescam.methods.targets import Targets


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
