"""Explanation methods for any torch CNN, in 1D, 2D or 3D. Nothing here knows about CT.

`ON_LAYER` explain the last layer with spatial output unless another is named; `ON_INPUT`
explain the input unless a layer is named; they take it as (batch, channel, *space) and sum over
its second axis. Where that is not a channel (slices, in AxialNet), ask for `per_channel=True`.
`MAP_METHODS` says for each how it is titled and what its maps mean.
"""

from typing import Any
from warnings import warn

from hirescam.methods._audit import Guarantee, Kind, audit
from hirescam.methods._cam import (
    cam,
    eigencam,
    gradcam,
    gradcam_plus_plus,
    hirescam,
    layercam,
    xgradcam,
)
from hirescam.methods._engine import find_layer, layer_name
from hirescam.methods.controls import centre_map, control_map
from hirescam.methods.gradients import (
    completeness_gap,
    gradient_times_activation,
    input_times_gradient,
    integrated_gradients,
    saliency,
    signed_gradient,
    smoothgrad,
)
from hirescam.methods.heads import linear_head_maps, single_layer_head
from hirescam.methods.map_methods import (
    KNOWN_FAILURES,
    MAP_METHODS,
    METHODS,
    ON_INPUT,
    ON_LAYER,
    OUTPUT_LEVEL,
    MapMethod,
)
from hirescam.methods.perturbation import ablationcam, occlude_masks, occlusion, scorecam
from hirescam.methods.relevance import (
    deconvnet,
    guided_backpropagation,
    guided_gradcam,
    lrp,
)

__all__ = [
    "KNOWN_FAILURES",
    "MAP_METHODS",
    "METHODS",
    "ON_INPUT",
    "ON_LAYER",
    "OUTPUT_LEVEL",
    "Guarantee",
    "Kind",
    "MapMethod",
    "ablationcam",
    "audit",
    "cam",
    "centre_map",
    "completeness_gap",
    "control_map",
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
    "saliency",
    "scorecam",
    "signed_gradient",
    "single_layer_head",
    "smoothgrad",
    "xgradcam",
]


def __getattr__(name: str) -> Any:
    if name == "control_map":
        warn("control_map is now called control_map", DeprecationWarning, stacklevel=2)
        return control_map
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
