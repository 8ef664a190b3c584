"""Deterministic: torch computes the same bits each time, for as long as a block lasts."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

_CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
_FEW = 16  # channels of a block in oneDNN's layouts


@contextmanager
def deterministic(network: nn.Module) -> Iterator[None]:
    """Choose algorithms that repeat for `network`; what was set before comes back.

    oneDNN is left out where a convolution has few channels: its deterministic path, in torch
    2.13, then corrupts memory on several threads.
    """
    algorithms = torch.are_deterministic_algorithms_enabled()
    workspace, onednn = os.environ.get(_CUBLAS), bool(torch.backends.mkldnn.enabled)
    torch.use_deterministic_algorithms(True)
    os.environ.setdefault(_CUBLAS, ":4096:8")
    _use_onednn(onednn and not _has_few_channels(network))
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(algorithms)
        _use_onednn(onednn)
        if workspace is None:
            os.environ.pop(_CUBLAS, None)


def _has_few_channels(network: nn.Module) -> bool:
    convolutions = (layer for layer in network.modules() if isinstance(layer, nn.Conv2d))
    return any(layer.out_channels < _FEW for layer in convolutions)


def _use_onednn(wanted: bool) -> None:
    setattr(torch.backends.mkldnn, "enabled", wanted)  # noqa: B010 (a property of a module)
