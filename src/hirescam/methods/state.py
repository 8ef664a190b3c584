"""State: what is taken from a network for the length of a `with` block, and put back.

Also `intercepted`, which sees every torch function that a network calls.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode

from hirescam.errors import LayerError

_running: ContextVar[object] = ContextVar("running", default=None)


def unwrapped(network: nn.Module) -> nn.Module:
    """The user's own module inside `torch.compile`, DataParallel or both."""
    while True:
        if isinstance(network, nn.DataParallel | nn.parallel.DistributedDataParallel):
            network = network.module
        elif "_orig_mod" in network._modules:  # torch.compile's wrapper
            network = network._modules["_orig_mod"] or network
        else:
            return network


def refuse_torchscript(network: nn.Module) -> None:
    """Raise LayerError for a network of which a part is TorchScript."""
    for name, module in network.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            raise LayerError(
                f"{f'module {name!r}' if name else 'the network'} is TorchScript, whose calls "
                f"cannot be seen: use the Python module that it was made from"
            )


@contextmanager
def restored_state(network: nn.Module) -> Iterator[None]:
    """Evaluate for the length of a block, then give back modes, buffers and random states."""
    devices = {p.device.index for p in network.parameters() if p.is_cuda}
    with torch.random.fork_rng(list(devices)), _buffers_kept(network), eval_mode(network):
        yield


@contextmanager
def eval_mode(network: nn.Module) -> Iterator[None]:
    """Evaluate for the length of a `with` block, then give every module its mode back.

    Of several threads that explain one network, the last to leave gives it back.
    """
    modules = list(network.modules())
    with _lending:
        for module in modules:
            borrowers, training = _lent.get(module, (0, module.training))
            _lent[module] = borrowers + 1, training
            _set_mode(module, False)
    try:
        yield
    finally:
        with _lending:
            for module in modules:
                borrowers, training = _lent.pop(module)
                if borrowers > 1:
                    _lent[module] = borrowers - 1, training
                else:
                    _set_mode(module, training)


_lending = Lock()
_lent: WeakKeyDictionary[nn.Module, tuple[int, bool]] = WeakKeyDictionary()
"""How many blocks evaluate a module just now, and whether it was training before."""


def _set_mode(module: nn.Module, training: bool) -> None:
    if module.training != training:  # setting an attribute of a module is slow
        module.training = training


HALF = (torch.float16, torch.bfloat16)


@contextmanager
def in_float32(network: nn.Module) -> Iterator[None]:
    """Compute in float32 for the length of a `with` block: no half precision, no TF32."""
    half = [
        (tensor, tensor.data)
        for tensor in (*network.parameters(), *network.buffers())
        if not is_lazy(tensor) and tensor.dtype in HALF
    ]
    kinds = {tensor.device.type for tensor in network.parameters()} | {"cpu"}
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    with ExitStack() as restored:
        for kind in kinds - {"meta"}:
            restored.enter_context(torch.autocast(kind, enabled=False))
        matmul.allow_tf32 = cudnn.allow_tf32 = False
        try:
            for tensor, data in half:
                tensor.data = data.float()
            yield
        finally:
            for tensor, data in half:
                tensor.data = data
            matmul.allow_tf32, cudnn.allow_tf32 = before


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Let no parameter require a gradient for the length of a `with` block."""
    wanted = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in wanted:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in wanted:
            parameter.requires_grad_()


@contextmanager
def hooked(layer: nn.Module, hook: Callable[..., object]) -> Iterator[None]:
    """Keep a forward hook on `layer` for the length of a `with` block."""
    handle = layer.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def hooked_once(layer: nn.Module, hook: Callable[..., object]) -> Iterator[None]:
    """Like `hooked`, for this run alone: runs nested in it or in other threads go unseen."""
    run = object()
    before = _running.set(run)
    mine = lambda *call: hook(*call) if _running.get() is run else None  # noqa: E731
    try:
        with hooked(layer, mine):
            yield
    finally:
        _running.reset(before)


def eager_around(network: nn.Module, layer: nn.Module) -> AbstractContextManager[object]:
    """No compiled code around `layer`: code compiled before a hook was set does not call it."""
    compiled = (
        module
        for module in network.modules()
        if module._compiled_call_impl is not None
        or (module is not layer and "_orig_mod" in module._modules)
    )
    if any(layer is part for module in compiled for part in module.modules()):
        return torch.compiler.set_stance("force_eager")
    return nullcontext()


def eager(network: nn.Module) -> AbstractContextManager[object]:
    """The same for every layer of a network."""
    compiled = any(
        module._compiled_call_impl is not None or "_orig_mod" in module._modules
        for module in network.modules()
    )
    return torch.compiler.set_stance("force_eager") if compiled else nullcontext()


@contextmanager
def _buffers_kept(network: nn.Module) -> Iterator[None]:
    """Give every module its buffers back: the same tensors with the same values."""
    kept = [
        (module, name, buffer, buffer.detach().clone(), _version(buffer))
        for module in network.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None
    ]
    try:
        yield
    finally:
        for module, name, buffer, values, version in kept:
            module._buffers[name] = buffer
            if _version(buffer) != version or version is None:
                with torch.no_grad():
                    buffer.copy_(values)


def _version(tensor: Tensor) -> int | None:
    """How often a tensor was written to; inference tensors do not count it."""
    return None if tensor.is_inference() else tensor._version


Run = Callable[[Callable[..., Any], Sequence[Any], Mapping[str, Any]], Any]
"""Stand-in for a call: the function, what it was given by place, and by name."""


class _Intercepting(TorchFunctionMode):
    def __init__(self, run: Run):
        super().__init__()
        self.run = run

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        return self.run(func, args, kwargs or {})


@contextmanager
def intercepted(network: nn.Module, run: Run) -> Iterator[None]:
    """Let `run` make every torch call of the `with` block; compiled networks run eagerly."""
    refuse_torchscript(network)
    with torch.compiler.set_stance("force_eager"), _Intercepting(run):
        yield
