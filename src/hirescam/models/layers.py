"""Layers that several networks are made of."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn


def custom_convolutions(sizes: Sequence[int], *, padding: int = 0) -> nn.Sequential:
    """3×3 convolutions, each with a ReLU, from one of `sizes` to the next.

    Unpadded, as published, each takes one cell away on every side.
    """
    return nn.Sequential(
        *(
            layer
            for before, after in pairwise(sizes)
            for layer in (nn.Conv2d(before, after, 3, padding=padding), nn.ReLU(inplace=True))
        )
    )


def fully_connected(sizes: Sequence[int], *, dropout: float) -> nn.Sequential:
    """Linear layers from one of `sizes` to the next, ReLU and dropout between them."""
    *hidden, last = pairwise(sizes)
    return nn.Sequential(
        *(
            layer
            for before, after in hidden
            for layer in (nn.Linear(before, after), nn.ReLU(), nn.Dropout(dropout))
        ),
        nn.Linear(*last),
    )


def shrinking_convolutions(sizes: Sequence[int], strides: Sequence[int]) -> nn.Sequential:
    """The 3D convolutions of CTNet and BodyConv, each with a ReLU, none padded.

    `strides` are those along the first axis, where each kernel sees 3; in the slice's plane
    kernels see 3 cells and step by one, the last one's 2 and by two.
    """
    planes = [(3, 1)] * (len(strides) - 1) + [(2, 2)]
    return nn.Sequential(
        *(
            layer
            for (before, after), stride, (seen, step) in zip(
                pairwise(sizes), strides, planes, strict=True
            )
            for layer in (
                nn.Conv3d(before, after, (3, seen, seen), (stride, step, step)),
                nn.ReLU(),
            )
        )
    )
