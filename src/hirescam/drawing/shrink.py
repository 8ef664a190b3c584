"""Shrink: a grid of fewer voxels in the same place, for pages that must stay small."""

from itertools import chain

import numpy as np
from jaxtyping import Float64, Shaped

ORGAN_VOXELS = 5_000_000
"""About 2 mm for a chest: finer than outlines need."""


def shrink(
    voxels: Shaped[np.ndarray, "slice row column"],
    affine: Float64[np.ndarray, "4 4"],
    most: int,
    *,
    mean: bool = True,
) -> tuple[
    Shaped[np.ndarray, "fewer_slice fewer_row fewer_column"], Float64[np.ndarray, "4 4"]
]:
    """At most `most` voxels, each the mean over a block of old ones, nearly a cube.

    Without `mean` each is the one at its block's middle, for codes that never mix.
    """
    factors = _factors(voxels.shape, np.linalg.norm(affine[:3, :3], axis=0), most)
    sizes = [size // factor for size, factor in zip(voxels.shape, factors, strict=True)]
    whole = tuple(slice(size * factor) for size, factor in zip(sizes, factors, strict=True))
    blocks = voxels[whole].reshape(*chain(*zip(sizes, factors, strict=True)))
    if mean:
        small = np.rint(blocks.mean(axis=(1, 3, 5), dtype=np.float32)).astype(voxels.dtype)
        middle = (np.array(factors) - 1) / 2
    else:
        middle = np.array(factors) // 2
        small = blocks[:, middle[0], :, middle[1], :, middle[2]]
    moved = affine.copy()
    moved[:3, :3] *= factors
    moved[:3, 3] += affine[:3, :3] @ middle
    return np.ascontiguousarray(small), moved


def _factors(
    shape: tuple[int, ...], spacing_mm: Float64[np.ndarray, "3"], most: int
) -> tuple[int, int, int]:
    """Voxels of a block along each axis: the finest axis is thinned first."""
    factors = np.ones(3, int)
    while np.prod(np.array(shape) // factors) > most:
        can = np.where(np.array(shape) // (factors + 1) > 0, spacing_mm * factors, np.inf)
        factors[can.argmin()] += 1
    first, second, third = factors.tolist()
    return first, second, third
