"""Intercept: see every torch function that a network calls, module or not, in a `with` block.

Hooks on modules miss functional calls and break on in-place ones (pytorch #61519).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from hirescam.methods.state import refuse_torchscript

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
