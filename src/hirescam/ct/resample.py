"""Separable resampling: along each axis one small matrix from old samples to new ones."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float, Shaped
from scipy import ndimage
from torch import Tensor

Weights = Float[np.ndarray, "new old"]


def linear_weights(positions: Float[np.ndarray, "new"], old: int) -> Weights:
    """Linear interpolation at `positions` (counted in old samples); zero beyond the last ones.

    Where new samples lie further apart than old ones, the kernel widens with them, so that
    nothing small falls between two samples.
    """
    step = max(1.0, float(np.abs(np.diff(positions)).max(initial=1.0)))
    reach = int(np.ceil(step))
    lattice = np.arange(-reach, old + reach)
    near = np.clip(positions, -reach, old - 1 + reach)
    weights = np.clip(1 - np.abs(near[:, None] - lattice) / step, 0, None)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights[:, reach : reach + old]


def bspline_weights(positions: Float[np.ndarray, "new"], old: int) -> Weights:
    """Cubic B-spline through the old samples, as RAD-ChestCT was resampled; zero outside."""
    each = [
        ndimage.map_coordinates(unit, [positions], order=3, mode="mirror")
        for unit in np.eye(old)
    ]
    inside = (positions > -0.5) & (positions < old - 0.5)
    weights = np.stack(each, axis=1) * inside[:, None]
    return np.where(np.abs(weights) < 1e-9, 0.0, weights)  # on a sample: that sample alone


def cell_weights(positions: Float[np.ndarray, "new"], old: int) -> Weights:
    """Linear between cell centres, constant to the edge of the outermost cells, zero beyond."""
    inside = (positions >= -0.5) & (positions <= old - 0.5)
    near = np.clip(positions, 0, old - 1)
    weights = np.clip(1 - np.abs(near[:, None] - np.arange(old)), 0, None)
    return weights * inside[:, None]


def nearest_weights(positions: Float[np.ndarray, "new"], old: int) -> Weights:
    """The old sample nearest to each position, for codes that never mix; zero outside."""
    nearest = np.floor(positions + 0.5)
    return (nearest[:, None] == np.arange(old)).astype(float)


INTERPOLATIONS: dict[str, Callable[[Float[np.ndarray, "new"], int], Weights]] = {
    "bspline": bspline_weights,
    "linear": linear_weights,
    "cell": cell_weights,
    "nearest": nearest_weights,
}


def resample(
    values: Shaped[np.ndarray, "slice row column"],
    weights: Sequence[Float[np.ndarray, "_ _"]],
    *,
    outside: float,
) -> Float[np.ndarray, "new_slice new_row new_column"]:
    """Apply one matrix per axis; whatever weight falls outside `values` counts as `outside`.

    Slices come in one by one, so that memory holds little more than the result.
    """
    along_slice, along_row, along_column = (
        torch.from_numpy(np.ascontiguousarray(weight, dtype=np.float32)) for weight in weights
    )
    used = np.flatnonzero(along_slice.any(dim=0).numpy())
    flat = torch.empty(len(used), len(along_row) * len(along_column))
    for into, index in zip(flat, used, strict=True):
        plane = torch.from_numpy(values[index].astype(np.float32, order="C")) - outside
        into.copy_(_along(_along(plane, along_row).T, along_column).T.reshape(-1))
    out = _along(flat, along_slice[:, used]).add_(outside)
    return out.reshape(len(along_slice), len(along_row), len(along_column)).numpy()


def _along(values: Float[Tensor, "old rest"], weights: Float[Tensor, "new old"]) -> Tensor:
    """`weights @ values`; a mere choice of rows, as when spacings agree, is only copied."""
    new, old = weights.nonzero(as_tuple=True)
    if len(new) == len(torch.unique(new)) and bool((weights[new, old] == 1).all()):
        chosen = values.new_zeros(len(weights), values.shape[1])
        chosen[new] = values[old]
        return chosen
    return weights @ values


def in_type_of(
    values: Float[np.ndarray, "*shape"], stored: Shaped[np.ndarray, "..."]
) -> Shaped[np.ndarray, "*shape"]:
    """`values` in the type of `stored`: rounded and cut to its range where that is int16."""
    if stored.dtype != np.int16:
        return values
    limits = np.iinfo(np.int16)
    return np.clip(np.rint(values, out=values), limits.min, limits.max).astype(np.int16)
