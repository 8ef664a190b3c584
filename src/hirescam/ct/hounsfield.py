"""Hounsfield units: stored numbers in the smallest type that holds them exactly."""

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Shaped

from hirescam.errors import VoxelError

_INT16 = np.iinfo(np.int16)


def hounsfield(
    stored: Shaped[np.ndarray, "row column"], slope: float = 1.0, intercept: float = 0.0
) -> Shaped[np.ndarray, "row column"]:
    """`stored * slope + intercept` as int16 where that is exact, else as float32.

    Raises `VoxelError` for 8-bit, colour and complex numbers, which are never Hounsfield units.
    """
    if stored.dtype.kind not in "iuf" or stored.dtype.itemsize == 1:
        raise VoxelError(
            f"values are {_described(stored.dtype)}, expected Hounsfield units of at least "
            f"16 bits: give the CT itself, not a picture or a mask"
        )
    scaled = (slope, intercept) != (1, 0)
    if stored.dtype == np.int16 and not scaled:
        return stored
    exact = stored.dtype.kind in "iu" and slope == int(slope) and intercept == int(intercept)
    if exact and _fits(int(slope) * end + int(intercept) for end in _ends(stored)):
        whole = stored.astype(np.int16)  # each step may wrap around; the result, which fits,
        whole *= _wrapped(slope)  # is right all the same
        whole += _wrapped(intercept)
        return whole
    with np.errstate(over="ignore", invalid="ignore"):  # infinite and NaN are refused as such
        values = stored.astype(np.float64) * slope + intercept
        fits = _fits(_ends(values)) and np.array_equal(values, np.rint(values))
        return values.astype(np.int16 if fits else np.float32)


def _ends(values: Shaped[np.ndarray, "row column"]) -> list[int | float]:
    return [values.min().item(), values.max().item()]


def _fits(numbers: Iterable[int | float]) -> bool:
    return all(_INT16.min <= number <= _INT16.max for number in numbers)


def _wrapped(number: float) -> np.int16:
    return np.uint16(int(number) & 0xFFFF).astype(np.int16)


def check_three_axes(shape: Sequence[int]) -> None:
    """Refuse what is not one three-dimensional scan."""
    if len(shape) != 3 or min(shape) < 1:
        raise VoxelError(
            f"has {len(shape)} axes {tuple(shape)}, expected 3 of at least 1 voxel: "
            f"give one 3-D scan alone"
        )


def _described(dtype: np.dtype) -> str:
    if dtype.kind in "iub":
        return f"8-bit ({dtype.name})"
    return "complex" if dtype.kind == "c" else "colours" if dtype.names else dtype.name
