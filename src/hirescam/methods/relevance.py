"""Relevance: backward passes with other rules: ε-LRP, DeconvNet, guided backpropagation."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hirescam.errors import LayerError
from hirescam.methods._cam import gradcam_maps
from hirescam.methods._engine import capture, capture_at, upsampled
from hirescam.methods.gradients import gradient_times_value, gradients_of
from hirescam.methods.state import Run, intercepted
from hirescam.methods.targets import Targets

_LINEAR = """
    conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d linear batch_norm
    avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d
    adaptive_avg_pool3d mean sum interpolate
"""
LINEAR = frozenset(_LINEAR.split())
"""Calls whose output is shared out among their inputs, with ε."""

_PASSING = """
    relu relu_ leaky_relu leaky_relu_ prelu dropout dropout1d dropout2d dropout3d alpha_dropout
    feature_dropout feature_alpha_dropout
    max_pool1d max_pool2d max_pool3d adaptive_max_pool1d adaptive_max_pool2d
    adaptive_max_pool3d amax
    add add_ __add__ __radd__ __iadd__ sub sub_ __sub__ __rsub__ __isub__ neg
    cat concat stack chunk split unbind select narrow __getitem__ flatten unflatten view
    reshape permute transpose movedim squeeze unsqueeze expand expand_as repeat contiguous
    clone pad flip roll to float double type_as requires_grad_ __get__
"""
PASSING = frozenset(_PASSING.split())
"""Calls that hand relevance on as they hand on a gradient: rectifiers, maxima, sums, views."""

_PRODUCTS = """
    mul mul_ __mul__ __rmul__ __imul__ div div_ __truediv__ __itruediv__ matmul __matmul__ mm
    addmm bmm einsum
"""
PRODUCTS = frozenset(_PRODUCTS.split())
"""Calls that are linear where only one factor depends on the explained place."""


def lrp(
    network: nn.Module,
    x: Float[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
    epsilon: float = 1e-6,
    per_channel: bool = False,
) -> Float[Tensor, "batch target *space"]:
    """Relevance of each place of the input (or `layer`) for each score, summed over channels.

    A map sums to its score less what biases and ε took. Convolutions, linear layers, batch
    norm, ReLU, leaky ReLU, PReLU, maxima (to the winner), means, residual sums and
    concatenations are handed through, as modules or functions; anything else above `layer`
    (sigmoids, products of two branches, other norms) raises LayerError.

    Known failure: for small ε it is input × gradient, and the input's outlines remain when
    weights are random (Adebayo et al., 2018). Bach et al., PLoS ONE 2015, equation 58.
    """
    with _relevance_passing(network, epsilon):
        seen = capture_at(network, x, layer)
    return gradient_times_value(seen, targets, per_channel=per_channel)


@contextmanager
def _relevance_passing(network: nn.Module, epsilon: float) -> Iterator[None]:
    entered = [""]  # the name of the module that runs, for the error

    def run(
        function: Callable[..., Any], given: Sequence[Any], named: Mapping[str, Any]
    ) -> Any:
        result = function(*given, **named)
        if not _depends(result):
            return result
        name = getattr(function, "__name__", str(function))
        if name in LINEAR and not named.get("training", False):
            return _stabilised(result, epsilon)
        products = name in PRODUCTS and sum(map(_depends, given)) == 1
        if name in PASSING or products:
            return result
        raise LayerError(
            f"LRP has no rule for {name!r}, called in module {entered[0]!r}, expected "
            f"convolutions, linear layers, batch norm, pooling, rectifiers, sums: explain a "
            f"layer above it, or use hirescam"
        )

    with ExitStack() as hooks:
        for name, module in network.named_modules():
            hooks.enter_context(_noting(name, module, entered))
        with intercepted(network, run):
            yield


@contextmanager
def _noting(name: str, module: nn.Module, entered: list[str]) -> Iterator[None]:
    def note(*_: object) -> None:
        entered[0] = name

    handle = module.register_forward_pre_hook(note)
    try:
        yield
    finally:
        handle.remove()


def _depends(value: object) -> bool:
    """Whether a value, or one of several, carries a gradient to the explained place."""
    if isinstance(value, tuple | list):
        return any(map(_depends, value))
    return isinstance(value, Tensor) and value.requires_grad


def _stabilised(output: Tensor, epsilon: float) -> Tensor:
    """The same output, whose gradient is |z| / (|z| + ε) times as large."""
    value = output.detach()
    size = value.abs()
    factor = torch.where(size == 0, 0, size / (size + epsilon))
    return value + (output - value) * factor


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
        seen = capture_at(network, x, layer)
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
        seen = capture_at(network, x, layer)
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
    coarse = upsampled(gradcam_maps(seen, targets).relu(), x, network)
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
