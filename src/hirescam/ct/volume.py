"""Volume: Hounsfield units on a grid that knows where it lies in the patient."""

from dataclasses import dataclass, replace
from io import IOBase
from pathlib import Path
from typing import cast

import nibabel as nib
import numpy as np
from jaxtyping import Float, Float64, Shaped

from hirescam.atomic import atomic_write
from hirescam.errors import GeometryError, VoxelError

# --- Angles between the axes of a grid: right but for rounding, or sheared as by gantry tilt

# Above it, the far end of a 300 mm scan lies over 0.3 mm from where right angles would put it.
LARGEST_COSINE = 1e-3


def is_rectangular(
    affine: Float64[np.ndarray, "4 4"], *, largest_cosine: float = LARGEST_COSINE
) -> bool:
    """Whether all axes stand at right angles to each other, but for rounding."""
    return _cosine(affine) <= largest_cosine


def degrees_off(affine: Float64[np.ndarray, "4 4"]) -> float:
    """How far the two axes that are furthest from a right angle are from it."""
    return float(np.degrees(np.arcsin(min(_cosine(affine), 1.0))))


def _cosine(affine: Float64[np.ndarray, "4 4"]) -> float:
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    return float(np.abs(np.triu(directions.T @ directions, k=1)).max())


# --- LPS: DICOM and ITK measure to the patient's left and back, we to the right and front


def affine_from_lps(
    origin_mm: Float[np.ndarray, "3"],
    slice_step_mm: Float[np.ndarray, "3"],
    row_step_mm: Float[np.ndarray, "3"],
    column_step_mm: Float[np.ndarray, "3"],
) -> Float64[np.ndarray, "4 4"]:
    """RAS affine of voxels whose first place, and steps along each axis, are given in LPS."""
    affine = np.eye(4)
    affine[:3] = np.column_stack([slice_step_mm, row_step_mm, column_step_mm, origin_mm])
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine


# --- Axes by name: where slices, rows and columns lead, as three letters or as a plane

_TOWARDS = {
    "R": (1, 0, 0), "A": (0, 1, 0), "S": (0, 0, 1),
    "L": (-1, 0, 0), "P": (0, -1, 0), "I": (0, 0, -1),
}  # fmt: skip

_LINES = str.maketrans("LPI", "RAS")
_Three = tuple[float, float, float]

# As radiologists hang them: what one plane shows, its rows downwards, its columns to the right.
PLANES = {"axial": "IPL", "coronal": "PIL", "sagittal": "LIP"}


def axis_codes(name: str) -> str:
    """Three letters for where slices, rows and columns lead: those given, or those of a plane.

    "IPL" and "axial" are slices to the feet (inferior), rows to the back (posterior), columns
    to the left. `GeometryError` for anything else.
    """
    codes = PLANES.get(name.lower(), name.upper())
    if sorted(codes.translate(_LINES)) != ["A", "R", "S"]:
        raise GeometryError(
            f"orientation is {name!r}, expected one letter each of L/R, A/P and I/S for where "
            f"slices, rows and columns lead, or {', '.join(PLANES)}"
        )
    return codes


def affine_towards(
    orientation: str, spacing_mm: _Three, origin_mm: _Three = (0.0, 0.0, 0.0)
) -> Float64[np.ndarray, "4 4"]:
    """RAS affine of axes that lead where `orientation` says, the first voxel at `origin_mm`."""
    affine = np.eye(4)
    directions = np.array([_TOWARDS[code] for code in axis_codes(orientation)], float)
    affine[:3, :3] = directions.T * np.array(spacing_mm)
    affine[:3, 3] = origin_mm
    return affine


# --- Writing NIfTI: values, and where they lie in the patient; nothing about the patient

_SCANNER = 1  # NIfTI code: coordinates of the scanner, as the scan's own
_QFORM_COSINE = 1e-5  # above it a qform, which knows right angles alone, strays from the sform


def write_nifti(
    path: Path | str,
    values: Shaped[np.ndarray, "slice row column"],
    affine: Float64[np.ndarray, "4 4"],
    *,
    description: str,
) -> Path:
    """Write `values` in their own type; `affine` leads from slice, row, column to RAS mm.

    The file's axes are column, row, slice, so that viewers page through slices. A sheared
    grid gets an sform alone, for a qform cannot say it. The same values give the same bytes.

    Raises `WriteError` if the disk refuses; an older file at `path` is then still whole.
    """
    path = Path(path)
    image = _image(values, affine, description)
    with atomic_write(path) as file:
        image.to_stream(cast(IOBase, file))
    return path


def _image(
    values: Shaped[np.ndarray, "slice row column"],
    affine: Float64[np.ndarray, "4 4"],
    description: str,
) -> nib.Nifti1Image:
    turned = affine[:, [2, 1, 0, 3]]
    image = nib.Nifti1Image(values.T, turned)
    image.header["descrip"] = description.encode()
    image.header.set_xyzt_units("mm")
    image.set_sform(turned, _SCANNER)
    exact = is_rectangular(turned, largest_cosine=_QFORM_COSINE)
    image.set_qform(turned, _SCANNER if exact else 0)
    return image


# --- Volume: Hounsfield units on a grid that knows where it lies in the patient

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
