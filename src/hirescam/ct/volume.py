"""Volume: Hounsfield units on a grid that knows where it lies in the patient."""

from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np
from jaxtyping import Float64, Shaped

from hirescam.ct.axes import axis_codes
from hirescam.ct.write import write_nifti
from hirescam.errors import GeometryError, VoxelError

AIR_HU = -1000


@dataclass(frozen=True, eq=False)
class Volume:
    """A scan: voxels in HU, int16 or float32, and an affine from index to patient.

    `affine @ (slice, row, column, 1)` is a point in millimetres to the patient's right,
    front and head (RAS, as nibabel). Spacing and orientation are read off it, never kept
    beside it.
    """

    voxels: Shaped[np.ndarray, "slice row column"]
    affine: Float64[np.ndarray, "4 4"]
    repairs: tuple[str, ...] = ()
    """What was changed while reading, on request: one sentence each, with its numbers."""

    def __post_init__(self) -> None:
        if self.voxels.ndim != 3:
            raise VoxelError(
                f"voxels have {self.voxels.ndim} axes {self.voxels.shape}, expected 3 "
                f"(slice, row, column): choose one 3-D scan"
            )
        if self.voxels.dtype not in (np.int16, np.float32):
            raise VoxelError(f"voxels are {self.voxels.dtype}, expected int16 or float32 HU")
        if not self.voxels.size:
            raise VoxelError(f"voxels have shape {self.voxels.shape}: give at least one slice")
        if not _places_voxels(self.affine):
            raise GeometryError(
                f"affine {self.affine.tolist()} does not place voxels in space: "
                f"write the scan again with its spacing and directions"
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns."""
        slices, rows, columns = self.voxels.shape
        return slices, rows, columns

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between neighbours along slice, row and column."""
        slices, rows, columns = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(slices), float(rows), float(columns)

    @property
    def orientation(self) -> str:
        """Where each axis leads; "IPL" is slices to feet, rows to back, columns to left."""
        return "".join(nib.orientations.aff2axcodes(self.affine))

    def to_nifti(self, path: Path | str) -> Path:
        """Write the scan as .nii or .nii.gz: its values and place, and nothing of the patient.

        `read_volume` returns the same voxels, at the same place to a thousandth of a mm. Raises
        `WriteError` if the disk refuses; an older file at `path` is then still whole.
        """
        return write_nifti(path, self.voxels, self.affine, description="hirescam scan, HU")


def _places_voxels(affine: np.ndarray) -> bool:
    """Whether an affine leads from any index to one place of its own."""
    return bool(
        affine.shape == (4, 4)
        and np.isfinite(affine).all()
        and np.allclose(affine[3], [0, 0, 0, 1], atol=1e-9)
        and abs(np.linalg.det(affine[:3, :3])) > 1e-9
    )


def reorient(volume: Volume, orientation: str = "axial") -> Volume:
    """The same voxels with axes leading where `orientation` says; every voxel keeps its place.

    `orientation` is three letters for slices, rows and columns, as "IPL", or the plane that
    slices show: axial (IPL), coronal (PIL) or sagittal (LIP). An oblique scan takes the nearest
    directions. No value is interpolated. `GeometryError` for any other name.
    """
    now = nib.orientations.io_orientation(volume.affine)
    wanted = nib.orientations.axcodes2ornt(axis_codes(orientation))
    turn = nib.orientations.ornt_transform(now, wanted)
    voxels = nib.orientations.apply_orientation(volume.voxels, turn)
    back = nib.orientations.inv_ornt_aff(turn, volume.shape)
    return replace(volume, voxels=voxels, affine=volume.affine @ back)
