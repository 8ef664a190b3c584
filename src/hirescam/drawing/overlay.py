"""Overlay: one plane of the scan with a map over it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped, UInt8
from scipy import ndimage

from hirescam.ct.resample import cell_weights
from hirescam.drawing.colours import Scale, blend, grey
from hirescam.drawing.stage import Axis, Stage


@dataclass(frozen=True)
class View:
    """A plane by the stage axes that lead into it, down it and across it."""

    name: str
    into: int
    down: int
    across: int


VIEWS = (View("axial", 0, 1, 2), View("coronal", 1, 0, 2), View("sagittal", 2, 0, 1))


def overlay(
    stage: Stage,
    view: View,
    values: Shaped[np.ndarray, "slice row column"],
    cell: tuple[int, int, int],
    *,
    window: tuple[float, float],
    scale: Scale,
) -> UInt8[np.ndarray, "down across 3"]:
    """`painted`, with a dotted line that encloses the cells' field."""
    picture = painted(stage, view, values, cell, window=window, scale=scale)
    return _outlined(picture, stage.axes[view.down], stage.axes[view.across])


def painted(
    stage: Stage,
    view: View,
    values: Shaped[np.ndarray, "slice row column"],
    cell: tuple[int, int, int],
    *,
    window: tuple[float, float],
    scale: Scale,
) -> UInt8[np.ndarray, "down across 3"]:
    """The plane of `view` through `cell`; of the map, this plane alone is interpolated.

    `values` and `cell` face the reader as the stage does. Between cells the map is linear,
    where no cell reaches there is none.
    """
    into, down, across = (stage.axes[axis] for axis in (view.into, view.down, view.across))
    voxel = into.voxel(cell[view.into])
    scan = grey(stage.scan.voxels.take(voxel, axis=view.into), window)
    depth = np.clip((voxel - into.first_cell) / into.cell_step, 0, into.cells - 1)
    near = cell_weights(np.array([depth]), into.cells)[0].astype(np.float32)
    plane = np.tensordot(near, values, axes=(0, view.into))
    return blend(
        np.clip(down.from_voxels @ scan @ across.from_voxels.T, 0, 1),
        down.from_cells @ plane @ across.from_cells.T,
        scale,
    )


def _outlined(
    picture: UInt8[np.ndarray, "down across 3"], down: Axis, across: Axis
) -> UInt8[np.ndarray, "down across 3"]:
    field = np.outer(down.field, across.field)
    edge = field & ~ndimage.binary_erosion(field, border_value=1)
    dots = np.add.outer(np.arange(down.pixels), np.arange(across.pixels)) % 6 < 2
    return np.where((edge & dots)[..., None], picture // 2 + 100, picture).astype(np.uint8)
