"""Grids: resampling along each axis, right angles for sheared scans, and the cells of a map."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Float64, Shaped
from scipy import ndimage
from torch import Tensor

from hirescam.ct.validation import announced_bytes
from hirescam.ct.volume import AIR_HU, Volume, degrees_off, is_rectangular
from hirescam.errors import GeometryError

# --- Separable resampling: along each axis one small matrix from old samples to new ones

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


# --- respace: a scan resampled to other spacings, with air where it did not reach


def respace(
    volume: Volume, spacing_mm: tuple[float, float, float], *, interpolation: str = "linear"
) -> Volume:
    """The scan with voxels `spacing_mm` apart along slices, rows and columns.

    The new grid covers the same box around the same centre, in whole voxels. Values beyond the
    old voxels are air. Coarser grids see a widened kernel with "linear" alone.
    """
    wanted_mm, had_mm = np.array(spacing_mm, float), np.array(volume.spacing_mm)
    step = wanted_mm / had_mm
    shape = np.maximum(1, np.rint(np.array(volume.shape) / step)).astype(int)
    first = (np.array(volume.shape) - 1) / 2 - step * (shape - 1) / 2
    weights = [
        INTERPOLATIONS[interpolation](start + each * np.arange(new), old)
        for start, each, new, old in zip(first, step, shape, volume.shape, strict=True)
    ]
    values = resample(volume.voxels, weights, outside=float(AIR_HU))
    moved = np.diag([*step, 1.0])
    moved[:3, 3] = first
    voxels = in_type_of(values, volume.voxels)
    return replace(volume, voxels=voxels, affine=volume.affine @ moved)


# --- rectangular: a sheared scan, as by gantry tilt, resampled onto a grid with right angles


def rectangular(volume: Volume) -> Volume:
    """The scan on a grid with right angles that holds all of it: linear in-plane, air outside.

    Columns keep their direction and slices their planes, so that a tilted gantry is undone by
    moving each slice within its own plane; nothing is interpolated between slices. `repairs`
    tells the angle and the new grid. A scan with right angles is returned as it is.
    """
    angle_deg = degrees_off(volume.affine)
    if is_rectangular(volume.affine):
        return volume
    affine, shape = _grid(volume)
    announced_bytes(shape, volume.voxels.itemsize)
    voxels = _moved(volume, np.linalg.inv(volume.affine) @ affine, shape)
    repaired = replace(volume, voxels=voxels, affine=affine)
    spacing = " × ".join(f"{spacing:.3g}" for spacing in repaired.spacing_mm)
    repair = (
        f"axes {angle_deg:.2f}° off right angles: slices moved within their planes by linear "
        f"interpolation, from {volume.shape} to {shape} voxels of {spacing} mm"
    )
    return replace(repaired, repairs=(*volume.repairs, repair))


def _grid(volume: Volume) -> tuple[Float64[np.ndarray, "4 4"], tuple[int, int, int]]:
    """A grid of the same planes with right angles, large enough for every voxel."""
    columns_first = volume.affine[:3, 2::-1]
    directions, lengths = np.linalg.qr(columns_first)
    affine = volume.affine.copy()
    affine[:3, 2::-1] = directions * np.diag(lengths)
    ends = itertools.product(*((0, length - 1) for length in volume.shape))
    corners = np.array([[*end, 1] for end in ends])
    reached = (np.linalg.inv(affine) @ volume.affine @ corners.T)[:3].round(6)
    first, last = np.floor(reached.min(axis=1)), np.ceil(reached.max(axis=1))
    affine[:3, 3] += affine[:3, :3] @ first
    slices, rows, columns = (int(count) for count in last - first + 1)
    return affine, (slices, rows, columns)


def _moved(
    volume: Volume, to_old: Float64[np.ndarray, "4 4"], shape: tuple[int, int, int]
) -> np.ndarray:
    """Each slice sampled within its own plane."""
    moved = np.empty(shape, volume.voxels.dtype)
    for index, plane in enumerate(volume.voxels):
        values = ndimage.affine_transform(
            plane,
            to_old[1:3, 1:3],
            offset=to_old[1:3] @ [index, 0, 0, 1],
            output_shape=shape[1:],
            output=np.float32,
            order=1,
            mode="grid-constant",
            cval=float(AIR_HU),
        )
        moved[index] = np.rint(values) if moved.dtype == np.int16 else values
    return moved


# --- Where each cell of a feature map lies in the patient
# A cell lies at the centre of its receptive field, which the layers' kernels, strides and
# paddings give. In AxialNet the 6×6 cells of a 420×420 slice lie at pixels 128, 160, … 288.
# The published figures instead stretch the map over the whole slice (35, 105, … 385); that
# tiling is at hand by name.


@dataclass(frozen=True)
class Window:
    """What one convolution or pooling sees along one axis, in its own input's cells."""

    kernel: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1


@dataclass(frozen=True)
class Cells:
    """Evenly spaced cells along one axis, placed on the input's samples."""

    first: float
    step: float
    count: int

    @property
    def centres(self) -> Float[np.ndarray, "{self.count}"]:
        """Position of each cell, in input samples counted from the centre of the first."""
        return self.first + self.step * np.arange(self.count, dtype=float)


def receptive_cells(windows: Iterable[Window], size: int) -> Cells:
    """Receptive-field centres of what `windows`, applied in order, leave of `size` samples."""
    first, step = 0.0, 1.0
    for window in windows:
        extent = window.dilation * (window.kernel - 1)
        first += step * (extent / 2 - window.padding)
        step *= window.stride
        size = (size + 2 * window.padding - extent - 1) // window.stride + 1
    return Cells(first, step, size)


def tiled_cells(count: int, size: int) -> Cells:
    """Cells as the published figures place them: `size` samples in `count` equal blocks."""
    return Cells((size / count - 1) / 2, size / count, count)


def cell_affine(
    cells: tuple[Cells, Cells, Cells], affine: Float64[np.ndarray, "4 4"]
) -> Float64[np.ndarray, "4 4"]:
    """Affine from a map's index to the patient, given that of the input's samples."""
    on_input = np.diag([*(axis.step for axis in cells), 1.0])
    on_input[:3, 3] = [axis.first for axis in cells]
    return affine @ on_input


def onto(
    values: Shaped[np.ndarray, "slice row column"],
    affine: Float64[np.ndarray, "4 4"],
    shape: tuple[int, int, int],
    target: Float64[np.ndarray, "4 4"],
) -> Float[np.ndarray, "new_slice new_row new_column"]:
    """A map on another grid, for looking: linear between cells, zero where no cell reaches.

    Both grids must share their directions up to order and sign, as a scan and what was
    computed from it do.
    """
    step = np.linalg.inv(affine) @ target  # index on the new grid -> index on the map
    scale = np.abs(step[:3, :3])
    axes = scale.argmax(axis=1)  # the new grid's axis along each axis of the map
    rest = scale.copy()
    rest[np.arange(3), axes] = 0
    if sorted(axes) != [0, 1, 2] or (rest * np.array(shape)).max() > 0.01 * scale.max():
        raise GeometryError(
            "the two grids are turned against each other: resample one of them to the "
            "directions of the other first"
        )
    weights = [
        cell_weights(step[axis, 3] + step[axis, along] * np.arange(shape[along]), count)
        for axis, (along, count) in enumerate(zip(axes, values.shape, strict=True))
    ]
    turned = resample(values, weights, outside=0.0)
    return np.ascontiguousarray(turned.transpose(np.argsort(axes)))
