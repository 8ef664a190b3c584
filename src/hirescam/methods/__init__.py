"""Explanation methods for any torch CNN, in 1D, 2D or 3D. Nothing here knows about CT.

`ON_LAYER` explain the last layer with spatial output unless another is named; `ON_INPUT`
explain the input unless a layer is named; they take it as (batch, channel, *space) and sum over
its second axis. Where that is not a channel (slices, in AxialNet), ask for `per_channel=True`.
"""

from collections.abc import Callable

from torch import Tensor

from hirescam.methods.baselines import centre_map, random_map
from hirescam.methods.cam import cam
from hirescam.methods.eigencam import eigencam
from hirescam.methods.failures import KNOWN_FAILURES
from hirescam.methods.gradcam import gradcam, gradcam_plus_plus, layercam, xgradcam
from hirescam.methods.gradients import (
    gradient_times_activation,
    input_times_gradient,
    saliency,
)
from hirescam.methods.guarantee import Guarantee, Kind, audit
from hirescam.methods.guided import deconvnet, guided_backpropagation, guided_gradcam
from hirescam.methods.heads import linear_head_maps, single_layer_head
from hirescam.methods.hirescam import hirescam
from hirescam.methods.integrated import completeness_gap, integrated_gradients
from hirescam.methods.layers import find_layer, layer_name
from hirescam.methods.lrp import lrp
from hirescam.methods.occlusion import occlude_masks, occlusion
from hirescam.methods.score_ablation import ablationcam, scorecam
from hirescam.methods.smoothgrad import smoothgrad

ON_LAYER: dict[str, Callable[..., Tensor]] = {
    "hirescam": hirescam,
    "gradcam": gradcam,
    "cam": cam,
    "gradcam_plus_plus": gradcam_plus_plus,
    "xgradcam": xgradcam,
    "layercam": layercam,
    "gradient_times_activation": gradient_times_activation,
    "eigencam": eigencam,
    "scorecam": scorecam,
    "ablationcam": ablationcam,
}
ON_INPUT: dict[str, Callable[..., Tensor]] = {
    "saliency": saliency,
    "input_times_gradient": input_times_gradient,
    "smoothgrad": smoothgrad,
    "integrated_gradients": integrated_gradients,
    "deconvnet": deconvnet,
    "guided_backpropagation": guided_backpropagation,
    "guided_gradcam": guided_gradcam,
    "lrp": lrp,
    "occlusion": occlusion,
    "random_map": random_map,
    "centre_map": centre_map,
}
METHODS = ON_LAYER | ON_INPUT

__all__ = [
    "KNOWN_FAILURES",
    "METHODS",
    "ON_INPUT",
    "ON_LAYER",
    "Guarantee",
    "Kind",
    "ablationcam",
    "audit",
    "cam",
    "centre_map",
    "completeness_gap",
    "deconvnet",
    "eigencam",
    "find_layer",
    "gradcam",
    "gradcam_plus_plus",
    "gradient_times_activation",
    "guided_backpropagation",
    "guided_gradcam",
    "hirescam",
    "input_times_gradient",
    "integrated_gradients",
    "layer_name",
    "layercam",
    "linear_head_maps",
    "lrp",
    "occlude_masks",
    "occlusion",
    "random_map",
    "saliency",
    "scorecam",
    "single_layer_head",
    "smoothgrad",
    "xgradcam",
]
