"""DeconvNet, guided backpropagation, guided Grad-CAM: gradients that pass ReLUs otherwise.

They draw sharp pictures of the input and hardly depend on what the network has learned:
see `KNOWN_FAILURES`. Only ReLUs are treated, as modules or functions, in place or not.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from hirescam.methods.capture import capture
from hirescam.methods.gradcam import gradcam_maps
from hirescam.methods.gradients import gradients_of
from hirescam.methods.intercept import Run, intercepted
from hirescam.methods.place import seen_at
from hirescam.methods.stretch import stretched
from hirescam.methods.targets import Targets


def deconvnet(
    network: nn.Module,
    x: Float[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
    per_channel: bool = False,
) -> Float[Tensor, "batch target *space"]:
    """Gradient that meets a ReLU on its way back too, instead of the forward ReLU's mask.

    Known failure: mostly restores the input, whatever the label. Zeiler and Fergus,
    "Visualizing and understanding convolutional networks", ECCV 2014.
    """
    with intercepted(network, _relus_by(_deconvolve)):
        seen = seen_at(network, x, layer)
    return gradients_of(seen, targets, per_channel=per_channel)


def guided_backpropagation(
    network: nn.Module,
    x: Float[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
    per_channel: bool = False,
) -> Float[Tensor, "batch target *space"]:
    """Gradient whose negative part is dropped at every ReLU.

    Known failure: stays the same when the upper layers' weights are random (Adebayo et al.,
    2018). Springenberg et al., "Striving for simplicity", arXiv:1412.6806.
    """
    with intercepted(network, _relus_by(_guide)):
        seen = seen_at(network, x, layer)
    return gradients_of(seen, targets, per_channel=per_channel)


def guided_gradcam(
    network: nn.Module,
    x: Float[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
    per_channel: bool = False,
) -> Float[Tensor, "batch target *space"]:
    """Guided backpropagation at the input times the positive part of Grad-CAM at `layer`.

    Without that ReLU, two negatives would make a positive. Known failure: that of guided
    backpropagation. Selvaraju et al., ICCV 2017, section 3.2.
    """
    seen = capture(network, x, layer=layer)
    coarse = stretched(gradcam_maps(seen, targets).relu(), x, network)
    fine = guided_backpropagation(network, x, targets=targets, per_channel=per_channel)
    return fine * (coarse[:, :, None] if per_channel else coarse)


ReLU = Callable[[Tensor, bool], Tensor]
"""Stand-in for a ReLU: its input, and whether it runs in place."""


def _relus_by(relu: ReLU) -> Run:
    def run(
        function: Callable[..., Any], given: Sequence[Any], named: Mapping[str, Any]
    ) -> Any:
        name = getattr(function, "__name__", "")
        if name not in ("relu", "relu_"):
            return function(*given, **named)
        value, *rest = *given, *named.values()
        return relu(value, name == "relu_" or any(rest))

    return run


def _guide(value: Tensor, in_place: bool) -> Tensor:
    value = value.relu_() if in_place else value.relu()
    if value.requires_grad:
        value.register_hook(_positive)  # type: ignore[no-untyped-call]
    return value


def _deconvolve(value: Tensor, in_place: bool) -> Tensor:
    negative_part = value.detach().relu() - value.detach()
    value = value.add_(negative_part) if in_place else value + negative_part
    if value.requires_grad:
        value.register_hook(_positive)  # type: ignore[no-untyped-call]
    return value


def _positive(gradient: Tensor) -> Tensor:
    return gradient.clamp(min=0)
