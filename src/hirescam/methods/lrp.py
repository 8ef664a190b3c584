"""ε-LRP: a score handed down layer by layer, to each input in proportion to its part.

Written as a gradient: relevance divided by activation passes a linear layer like a gradient
does, times |z| / (|z| + ε) for its output z (Ancona et al., arXiv:1711.06104, proposition 1).
So nothing is divided by an activation, and 1D, 2D and 3D take the same few lines. Batch norm
needs no folding: as an affine map its relevance is that of the folded convolution, up to ε.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hirescam.errors import LayerError
from hirescam.methods.gradients import gradient_times_value
from hirescam.methods.intercept import intercepted
from hirescam.methods.place import seen_at
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
        seen = seen_at(network, x, layer)
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
