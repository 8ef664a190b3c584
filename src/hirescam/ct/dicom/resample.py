"""Resample: slices of any spacing and shift onto a rectangular grid.

Trilinear, rounded once. A slice that stays where it is keeps its voxels.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Float, Float64, Shaped
from scipy import ndimage

from hirescam.ct.dicom.regular import Resampling
from hirescam.ct.dicom.stack import Stack
from hirescam.ct.volume import AIR_HU, Volume

_STAYS = 1e-6  # of a pixel: rounding of positions


def resampled(
    voxels: Shaped[np.ndarray, "slice row column"], stack: Stack, how: Resampling
) -> Volume:
    """The voxels where `how` puts them; the grid grows so that no pixel is lost."""
    if how.shifts is None and how.slices is None:
        return Volume(voxels, stack.affine(how.step_mm, np.zeros(3)))
    shifts = np.zeros((len(voxels), 2)) if how.shifts is None else how.shifts
    first = np.floor(shifts.min(axis=0) + _STAYS)
    room = np.ceil(shifts.max(axis=0) - _STAYS) - first
    rows, columns = (np.array(voxels.shape[1:]) + room).astype(int)
    places = np.arange(len(voxels), dtype=float) if how.slices is None else how.slices

    @lru_cache(maxsize=2)
    def moved(index: int) -> Float[np.ndarray, "row column"]:
        return _moved(voxels[index], shifts[index] - first, (int(rows), int(columns)))

    out = np.empty((len(places), rows, columns), voxels.dtype)
    for into, place in zip(out, places, strict=True):
        below = int(place)
        part = float(place - below)
        plane = (
            moved(below) if part == 0 else (1 - part) * moved(below) + part * moved(below + 1)
        )
        into[:] = np.rint(plane) if out.dtype == np.int16 else plane
    first_mm = np.array([0.0, *(first * stack.spacing_mm)])
    return Volume(out, stack.affine(how.step_mm, first_mm))


def _moved(
    plane: Shaped[np.ndarray, "row column"],
    by: Float64[np.ndarray, "2"],
    shape: tuple[int, int],
) -> Float[np.ndarray, "new_row new_column"]:
    """The plane `by` pixels further down and across in a larger one of air."""
    whole = np.floor(by + _STAYS).astype(int)
    row, column = whole
    larger = np.full(shape, AIR_HU, np.float32)
    larger[row : row + plane.shape[0], column : column + plane.shape[1]] = plane
    rest = np.clip(by - whole, 0, None)
    if rest.max() <= _STAYS:
        return larger
    return ndimage.shift(larger, rest, order=1, mode="constant", cval=AIR_HU)
