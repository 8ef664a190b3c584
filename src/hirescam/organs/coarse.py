"""Coarse: a grid of twice the work grid's step, for what is large and slow to measure."""

import numpy as np
from jaxtyping import Bool, Float, Shaped

from hirescam.organs.work_grid import STEP_MM

COARSE_MM = 2 * STEP_MM
COARSE_ML = COARSE_MM**3 / 1000

CoarseMask = Bool[np.ndarray, "down2 back2 left2"]
CoarseField = Float[np.ndarray, "down2 back2 left2"]


def coarse(values: Shaped[np.ndarray, "down back left"]) -> CoarseField:
    """Means over blocks of two by two by two; the last voxels repeat where a size is odd."""
    even = np.pad(values, [(0, size % 2) for size in values.shape], mode="edge")
    pairs = even.reshape([part for size in even.shape for part in (size // 2, 2)])
    return pairs.mean(axis=(1, 3, 5), dtype=np.float32)


def fine(mask: CoarseMask, shape: tuple[int, ...]) -> Bool[np.ndarray, "down back left"]:
    """A coarse mask on the work grid again."""
    for axis in range(3):
        mask = mask.repeat(2, axis=axis)
    down, back, left = shape
    return mask[:down, :back, :left]
