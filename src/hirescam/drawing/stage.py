"""Stage: the scan turned to face its reader, and what lies at each pixel of each plane.

Turned to "IPL", every plane runs as radiologists read it: axial from below with the patient's
right on the left, coronal from the front, sagittal with the front on the left. Pixels are
squares of the same size in millimetres in all planes, whatever the spacing.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Float64, Shaped
from scipy.sparse import csr_array

from hirescam.ct.resample import cell_weights, linear_weights
from hirescam.ct.volume import Volume, reorient
from hirescam.errors import GeometryError

READING = "IPL"
PIXELS = (320, 560)  # of the longest side: enough to read, and three planes fit a screen
_SIDES = (("L", "R"), ("P", "A"), ("I", "S"))  # where RAS coordinates fall, where they rise
_OBLIQUE = 0.25  # a direction is named after every side it leads to by this share or more


@dataclass(frozen=True, eq=False)
class Axis:
    """One axis of the stage: its voxels, the cells that lie on them, the pixels that show them.

    `first_cell` and `cell_step` are counted in voxels. `ends` are the sides of the patient
    beyond the first pixel and beyond the last.
    """

    voxels: int
    cells: int
    first_cell: float
    cell_step: float
    pixels: int
    ends: tuple[str, str]

    @cached_property
    def from_voxels(self) -> csr_array:
        """Weights, pixel × voxel, that draw voxels on pixels."""
        inner = np.clip(self._seen, 0, self.voxels - 1)
        return csr_array(linear_weights(inner, self.voxels).astype(np.float32))

    @cached_property
    def from_cells(self) -> csr_array:
        """Weights, pixel × cell, that draw cells on pixels: none where no cell reaches."""
        cells = (self._seen - self.first_cell) / self.cell_step
        return csr_array(cell_weights(cells, self.cells).astype(np.float32))

    @cached_property
    def field(self) -> Bool[np.ndarray, "pixel"]:
        """Whether a cell reaches each pixel."""
        return self.from_cells.sum(axis=1) > 0

    def voxel(self, cell: int) -> int:
        """The voxel nearest to the centre of a cell."""
        return int(
            np.clip(np.rint(self.first_cell + self.cell_step * cell), 0, self.voxels - 1)
        )

    def pixel(self, cell: int) -> float:
        """Where the centre of a cell lies, in pixels."""
        voxel = self.first_cell + self.cell_step * cell
        return (voxel + 0.5) * self.pixels / self.voxels - 0.5

    @property
    def _seen(self) -> Float[np.ndarray, "pixel"]:
        """The position of each pixel, in voxels."""
        return (np.arange(self.pixels) + 0.5) * (self.voxels / self.pixels) - 0.5


@dataclass(frozen=True, eq=False)
class Stage:
    """A scan in reading order: axes from head to feet, front to back, right to left."""

    scan: Volume
    axes: tuple[Axis, Axis, Axis]
    pixel_mm: float


def build_stage(
    scan: Volume, cells: tuple[int, ...], affine: Float64[np.ndarray, "4 4"]
) -> Stage:
    """Turn `scan` for reading and place on it the cells of maps of that shape and affine.

    Raises `GeometryError` if the maps' grid is turned against the scan's.
    """
    scan = reorient(scan, READING)
    facing = reorient(Volume(np.zeros(cells, np.float32), affine), READING)
    on_scan = np.linalg.inv(scan.affine) @ facing.affine
    step = np.diag(on_scan)[:3]
    if np.abs(on_scan[:3, :3] - np.diag(step)).max() > 0.01 * np.abs(step).min():
        raise GeometryError(
            "the map's cells are turned against the scan: compute the map on the placed scan"
        )
    extents_mm = np.array(scan.shape) * scan.spacing_mm
    pixel_mm = extents_mm.max() / np.clip(extents_mm.max() / min(scan.spacing_mm), *PIXELS)
    first, second, third = (
        Axis(
            voxels=scan.shape[axis],
            cells=facing.shape[axis],
            first_cell=float(on_scan[axis, 3]),
            cell_step=float(step[axis]),
            pixels=max(1, round(extents_mm[axis] / pixel_mm)),
            ends=(_sides(-scan.affine[:3, axis]), _sides(scan.affine[:3, axis])),
        )
        for axis in range(3)
    )
    return Stage(scan, (first, second, third), float(pixel_mm))


def face_reader(
    values: Shaped[np.ndarray, "slice row column"], affine: Float64[np.ndarray, "4 4"]
) -> Volume:
    """A map turned as the stage is."""
    return reorient(Volume(values, affine), READING)


def _sides(direction: Float[np.ndarray, "3"]) -> str:
    """The sides of the patient that a direction leads to, the main one first, e.g. "AL"."""
    share = direction / np.linalg.norm(direction)
    named = [axis for axis in np.argsort(-np.abs(share)) if abs(share[axis]) > _OBLIQUE]
    return "".join(_SIDES[axis][int(share[axis] > 0)] for axis in named)
