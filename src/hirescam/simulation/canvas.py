"""Canvas: painting shapes onto voxels with soft edges."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64

from hirescam.simulation.shapes import Distance, Grid, Index, Points, Shape
from hirescam.simulation.tubes import Tubes, traces

Texture = Callable[[Points, Distance], np.ndarray]
Tissue = float | Texture
Value = np.ndarray | np.float32
Mix = Callable[[np.ndarray, Value], Value]


def over(hu: np.ndarray, value: Value) -> Value:
    """What is painted covers what was there."""
    return value


def denser(hu: np.ndarray, value: Value) -> Value:
    """What was there stays visible where it is denser, as vessels in ground glass."""
    return np.maximum(hu, value)


def thinner(hu: np.ndarray, value: Value) -> Value:
    """What was there stays where it is thinner, as emphysema in a lung."""
    return np.minimum(hu, value)


@dataclass(frozen=True, eq=False)
class Canvas:
    """A block of voxels in the making."""

    grid: Grid
    hu: Float32[np.ndarray, "slice row column"]


def blank(grid: Grid, hu: float) -> Canvas:
    """A canvas of one value."""
    return Canvas(grid, np.full(grid.shape, hu, np.float32))


def paint(canvas: Canvas, shape: Shape, tissue: Tissue, mix: Mix = over) -> None:
    """Fill a shape; voxels on its surface take their share."""
    index, near = _around(canvas.grid, shape)
    if not all(near.shape):
        return
    distance = shape.distance(near)
    value = tissue(near, distance) if callable(tissue) else np.float32(tissue)
    share = distance * np.float32(-1 / canvas.grid.width_mm)
    share += np.float32(0.5)
    np.clip(share, 0, 1, out=share)
    hu = canvas.hu[index]
    _blend(hu, share, mix(hu, value))


def trace(canvas: Canvas, tubes: Tubes, hu: float, within: Shape) -> None:
    """Draw tubes, however thin, where they run inside a shape."""
    index, near = _around(canvas.grid, within)
    if all(near.shape):
        share = traces(tubes, near) * (within.distance(near) < 0)
        _blend(canvas.hu[index], share, np.float32(hu))


def mask(grid: Grid, shape: Shape) -> Bool[np.ndarray, "slice row column"]:
    """Voxels whose centre lies inside a shape."""
    out = np.zeros(grid.shape, bool)
    index, near = _around(grid, shape)
    if all(near.shape):
        out[index] = shape.distance(near) < 0
    return out


def voxel_grid(affine: Float64[np.ndarray, "4 4"], shape: tuple[int, int, int]) -> Grid:
    """The voxel centres of a scan in orientation IPL."""
    slices, rows, columns = shape
    step = -affine[[2, 1, 0], [0, 1, 2]]
    first = affine[[2, 1, 0], 3]
    z, y, x = (
        (start - gap * np.arange(count)).astype(np.float32)
        for start, gap, count in zip(first, step, shape, strict=True)
    )
    width = float(np.cbrt(step.prod()))
    return Grid(
        x.reshape(1, 1, columns),
        y.reshape(1, rows, 1),
        z.reshape(slices, 1, 1),
        tuple(first.tolist()),
        tuple(step.tolist()),
        width,
    )


def _around(grid: Grid, shape: Shape) -> tuple[Index, Grid]:
    """The part of a grid that a shape can touch."""
    return grid.within(shape.low - grid.width_mm, shape.high + grid.width_mm)


def _blend(hu: np.ndarray, share: np.ndarray, value: Value) -> None:
    share *= value - hu
    hu += share
