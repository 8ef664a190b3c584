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
from hirescam.methods.state import intercepted
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
    norm, ReLU and ReLU6 of every spelling, leaky ReLU, PReLU, maxima (to the winner), means,
    residual sums and concatenations are handed through, as modules or functions; anything else
    above `layer` (sigmoids, products of two branches, other norms) raises LayerError.

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
        name = getattr(function, "__name__", str(function))
        value = None if name in PASSING else rectified(function, given, named)
        if value is not None and _depends(value):
            return _in_proportion(*_call_of(value, function, given, named))
        result = function(*given, **named)
        if not _depends(result):
            return result
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


def _in_proportion(call: Callable[[Tensor], Tensor], value: Tensor, in_place: bool) -> Tensor:
    """A rectifier's output, whose gradient is output / input, for relevance is handed on.

    At its upper bound a ReLU6 has no gradient, but no less relevance.
    """
    before = value.detach().clone()
    after = call(before.clone())
    share = torch.where(before == 0, 0, after / before)
    passed = value.mul_(share) if in_place else value * share
    rounding = after - passed.detach()
    return passed.add_(rounding) if in_place else passed + rounding


def deconvnet(
    network: nn.Module,
    x: Float[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
    per_channel: bool = False,
) -> Float[Tensor, "batch target *space"]:
    """Gradient that meets a ReLU on its way back too, instead of the forward ReLU's mask.

    Rectifiers of every spelling count (`rectified`); a network without any is refused.
    Known failure: mostly restores the input, whatever the label. Zeiler and Fergus,
    "Visualizing and understanding convolutional networks", ECCV 2014.
    """
    with _rectifiers_by(network, _deconvolve, "deconvnet"):
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

    Rectifiers of every spelling count (`rectified`); a network without any is refused.
    Known failure: stays the same when the upper layers' weights are random (Adebayo et al.,
    2018). Springenberg et al., "Striving for simplicity", arXiv:1412.6806.
    """
    with _rectifiers_by(network, _guide, "guided_backpropagation"):
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


Rectify = Callable[[Callable[[Tensor], Tensor], Tensor, bool], Tensor]
"""Stand-in for a rectifier: the call as a function of its input, that, if it is in place."""


@contextmanager
def _rectifiers_by(network: nn.Module, rectify: Rectify, method: str) -> Iterator[None]:
    """Let `rectify` take the place of every rectifier. Raises `LayerError` if none runs."""
    met = 0

    def run(
        function: Callable[..., Any], given: Sequence[Any], named: Mapping[str, Any]
    ) -> Any:
        nonlocal met
        value = rectified(function, given, named)
        if value is None:
            return function(*given, **named)
        met += 1
        return rectify(*_call_of(value, function, given, named))

    with intercepted(network, run):
        yield
    if not met:
        raise LayerError(
            f"no ReLU, ReLU6 or clamp at 0 runs in this network, so {method} would be its "
            f"plain gradient: ask for signed_gradient, or for smoothgrad"
        )


def _call_of(
    value: Tensor, function: Callable[..., Any], given: Sequence[Any], named: Mapping[str, Any]
) -> tuple[Callable[[Tensor], Tensor], Tensor, bool]:
    """A call as a function of one of its arguments, that, and whether it writes to it."""

    def call(new: Tensor) -> Tensor:
        others = {key: new if each is value else each for key, each in named.items()}
        result: Tensor = function(*(new if each is value else each for each in given), **others)
        return result

    flags = (named.get("inplace"), *given[1:])
    written = function.__name__.endswith("_") or any(flag is True for flag in flags)
    return call, value, written


_CLAMPS = ("clamp", "clamp_", "clip", "clip_", "clamp_min", "clamp_min_")
_RELUS = ("relu", "relu_", "relu6", "relu6_")
_MAXIMA = ("maximum", "max", "fmax")


def rectified(
    function: Callable[..., Any], given: Sequence[Any], named: Mapping[str, Any]
) -> Tensor | None:
    """What a call rectifies: puts 0 where it is negative and leaves it where it is small.

    However that is written: ReLU, ReLU6, hardtanh from 0, a clamp or a threshold at 0, the
    maximum with 0, a choice or a product by the sign. None for any other call.
    """
    name = getattr(function, "__name__", "")
    value = given[0] if given else named.get("input")
    if name in _RELUS:
        return value
    if name in ("hardtanh", "hardtanh_"):
        low = given[1] if len(given) > 1 else named.get("min_val", -1.0)
        return value if _is_zero(low) else None
    if name in _CLAMPS:
        low = given[1] if len(given) > 1 else named.get("min")
        return value if _is_zero(low) else None
    if name in ("_threshold", "threshold", "threshold_"):
        both = (*given[1:3], *(named[key] for key in ("threshold", "value") if key in named))
        return value if len(both) == 2 and all(map(_is_zero, both)) else None
    if name in _MAXIMA and len(given) == 2:
        other = [each for each in given if not _is_zero(each)]
        return other[0] if len(other) == 1 and isinstance(other[0], Tensor) else None
    if name == "where" and len(given) == 3 and _is_zero(given[2]):
        return given[1] if _is_sign(given[0], given[1]) else None
    if name in ("mul", "__mul__", "__rmul__") and len(given) == 2:
        for mask, factor in (given, given[::-1]):
            if _is_sign(mask, factor):
                return factor
    return None


def _is_zero(value: object) -> bool:
    if isinstance(value, Tensor):
        return not value.requires_grad and not bool(value.detach().any())
    return isinstance(value, int | float) and value == 0


def _is_sign(mask: object, value: object) -> bool:
    """Whether a mask is True just where a value is positive."""
    return (
        isinstance(mask, Tensor)
        and isinstance(value, Tensor)
        and mask.dtype == torch.bool
        and mask.shape == value.shape
        and bool((mask == (value.detach() > 0)).all())
    )


def _guide(call: Callable[[Tensor], Tensor], value: Tensor, in_place: bool) -> Tensor:
    result = call(value)
    if result.requires_grad:
        result.register_hook(_positive)  # type: ignore[no-untyped-call]
    return result


def _deconvolve(call: Callable[[Tensor], Tensor], value: Tensor, in_place: bool) -> Tensor:
    change = call(value.detach().clone()) - value.detach()
    result = value.add_(change) if in_place else value + change
    if result.requires_grad:
        result.register_hook(_positive)  # type: ignore[no-untyped-call]
    return result


def _positive(gradient: Tensor) -> Tensor:
    return gradient.clamp(min=0)
