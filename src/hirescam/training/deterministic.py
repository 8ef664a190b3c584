"""Deterministic: torch computes the same bits each time, for as long as a block lasts."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_CUBLAS = "CUBLAS_WORKSPACE_CONFIG"


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
