"""Map methods: the one table of them, that commands, reports and viewers read too.

A new method is a function in one of this folder's modules and a row here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from hirescam.methods import _cam, controls, gradients, perturbation, relevance
from hirescam.methods._engine import Capture
from hirescam.methods.targets import Targets

FromCapture = Callable[[Capture, Targets], Tensor]
"""Maps (batch, target, *space) of what one forward pass left at a layer."""


@dataclass(frozen=True)
class MapMethod:
    """A row: how a method is called and titled, and what its maps mean."""

    name: str
    title: str
    function: Callable[..., Tensor]
    explains: Literal["layer", "input"]
    """What it explains unless told otherwise: the last layer with places, or the input."""

    meaning: str
    """What a high value means, to follow "High where"."""

    from_capture: FromCapture | None = None
    """The same from a `Capture` that exists already: no further run of the network."""

    known_failure: str | None = None

    @property
    def at_output_level(self) -> bool:
        """Whether one forward pass that other methods share is all it needs."""
        return self.from_capture is not None


_GUIDED_FAILURE = (
    "fails weight randomisation: its maps stay the same when the upper layers are random "
    "(Adebayo et al., NeurIPS 2018, arXiv:1810.03292)"
)

_ROWS = (
    MapMethod(
        "hirescam",
        "HiResCAM",
        _cam.hirescam,
        "layer",
        "the layer raised the score, low where it lowered it",
        _cam.hirescam_maps,
    ),
    MapMethod(
        "gradcam",
        "Grad-CAM",
        _cam.gradcam,
        "layer",
        "the layer was active in channels that raise the score on average",
        _cam.gradcam_maps,
    ),
    MapMethod(
        "cam",
        "CAM",
        _cam.cam,
        "layer",
        "the place's own score is high",
    ),
    MapMethod(
        "gradcam_plus_plus",
        "Grad-CAM++",
        _cam.gradcam_plus_plus,
        "layer",
        "the layer was active in channels that raise the score somewhere",
        _cam.gradcam_plus_plus_maps,
    ),
    MapMethod(
        "xgradcam",
        "XGrad-CAM",
        _cam.xgradcam,
        "layer",
        "the layer was active in channels whose activation raised the score",
        _cam.xgradcam_maps,
    ),
    MapMethod(
        "layercam",
        "LayerCAM",
        _cam.layercam,
        "layer",
        "the layer was active and more activity would raise the score",
        _cam.layercam_maps,
    ),
    MapMethod(
        "gradient_times_activation",
        "gradient × activation",
        gradients.gradient_times_activation,
        "layer",
        "the layer raised the score, low where it lowered it",
        gradients.gradient_times_value,
    ),
    MapMethod(
        "eigencam",
        "Eigen-CAM",
        _cam.eigencam,
        "layer",
        "the layer varies along its first principal direction, whatever the score",
        _cam.eigencam_maps,
    ),
    MapMethod(
        "scorecam",
        "Score-CAM",
        perturbation.scorecam,
        "layer",
        "the layer was active in channels that let a high score through",
    ),
    MapMethod(
        "ablationcam",
        "Ablation-CAM",
        perturbation.ablationcam,
        "layer",
        "the layer was active in channels without which the score falls",
    ),
    MapMethod(
        "saliency",
        "saliency (absolute gradient)",
        gradients.saliency,
        "input",
        "small changes of the input move the score most",
    ),
    MapMethod(
        "signed_gradient",
        "signed gradient",
        gradients.signed_gradient,
        "input",
        "a higher input would raise the score",
    ),
    MapMethod(
        "input_times_gradient",
        "input × gradient",
        gradients.input_times_gradient,
        "input",
        "the input raised the score, as far as the network is linear there",
    ),
    MapMethod(
        "smoothgrad",
        "SmoothGrad",
        gradients.smoothgrad,
        "input",
        "a higher input would raise the score, on average over noisy copies",
    ),
    MapMethod(
        "integrated_gradients",
        "integrated gradients",
        gradients.integrated_gradients,
        "input",
        "the input raised the score on the way from the baseline",
    ),
    MapMethod(
        "deconvnet",
        "DeconvNet",
        relevance.deconvnet,
        "input",
        "only positive gradients lead back to the input",
        known_failure="mostly restores the input: its maps hardly change between labels or "
        "when weights are random (Nie et al., arXiv:1805.07039; Sixt et al., arXiv:1912.09818)",
    ),
    MapMethod(
        "guided_backpropagation",
        "guided backpropagation",
        relevance.guided_backpropagation,
        "input",
        "active units lead positive gradients back to the input",
        known_failure=_GUIDED_FAILURE,
    ),
    MapMethod(
        "guided_gradcam",
        "guided Grad-CAM",
        relevance.guided_gradcam,
        "input",
        "guided backpropagation and Grad-CAM are both high",
        known_failure="fails weight randomisation with guided backpropagation, its factor "
        "(Adebayo et al., NeurIPS 2018, arXiv:1810.03292)",
    ),
    MapMethod(
        "lrp",
        "ε-LRP",
        relevance.lrp,
        "input",
        "the input got a share of the score handed down layer by layer",
        known_failure="for small ε it is input × gradient in ReLU networks, so the outlines of "
        "the input remain when weights are random (Adebayo et al., NeurIPS 2018, "
        "arXiv:1810.03292)",
    ),
    MapMethod(
        "occlusion",
        "occlusion",
        perturbation.occlusion,
        "input",
        "the score falls when a block is hidden",
    ),
    MapMethod(
        "control_map",
        "control: noise",
        controls.control_map,
        "input",
        "noise is, whatever the network",
    ),
    MapMethod(
        "centre_map",
        "control: closeness to the centre",
        controls.centre_map,
        "input",
        "the centre is near, whatever the network",
    ),
)

MAP_METHODS = {row.name: row for row in _ROWS}
OUTPUT_LEVEL = {name: row for name, row in MAP_METHODS.items() if row.at_output_level}
"""Methods that share the forward pass of `explain`."""


def maps_from_capture(method: str, seen: Capture, targets: Targets = "all") -> Tensor:
    """Maps (batch, target, *space) by a method of `OUTPUT_LEVEL`, without another run."""
    make = OUTPUT_LEVEL[method].from_capture
    assert make is not None, "methods at output level have it"
    return make(seen, targets)


METHODS = {name: row.function for name, row in MAP_METHODS.items()}
ON_LAYER = {name: row.function for name, row in MAP_METHODS.items() if row.explains == "layer"}
ON_INPUT = {name: row.function for name, row in MAP_METHODS.items() if row.explains == "input"}
KNOWN_FAILURES = {
    name: row.known_failure for name, row in MAP_METHODS.items() if row.known_failure
}
"""Methods offered for comparison, and what they are known to get wrong."""
