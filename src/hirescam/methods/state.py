"""State: what is borrowed from a network for the length of a `with` block, and put back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluate for the length of a `with` block, then give every module its mode back."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


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
