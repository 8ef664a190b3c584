"""Deterministic: torch computes the same bits each time, for as long as a block lasts."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

_CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
_FEW = 16  # channels of a block in oneDNN's layouts


@contextmanager
def deterministic(wanted: bool) -> Iterator[None]:
    """Choose algorithms that repeat, and say so to cuBLAS; what was set before comes back."""
    before = torch.are_deterministic_algorithms_enabled(), os.environ.get(_CUBLAS)
    torch.use_deterministic_algorithms(wanted or before[0])
    if wanted:
        os.environ.setdefault(_CUBLAS, ":4096:8")
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        if before[1] is None:
            os.environ.pop(_CUBLAS, None)


@contextmanager
def sound_convolutions(network: nn.Module) -> Iterator[None]:
    """Leave oneDNN out where a convolution has few channels.

    Its deterministic path, in torch 2.13, then corrupts memory on several threads.
    """
    before = bool(torch.backends.mkldnn.enabled)
    convolutions = (layer for layer in network.modules() if isinstance(layer, nn.Conv2d))
    few = any(layer.out_channels < _FEW for layer in convolutions)
    setattr(torch.backends.mkldnn, "enabled", before and not few)  # noqa: B010 (a property)
    try:
        yield
    finally:
        setattr(torch.backends.mkldnn, "enabled", before)  # noqa: B010
