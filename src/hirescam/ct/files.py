"""read_volume: a path becomes a volume; its format is picked once, from a table of readers."""

from importlib import import_module
from pathlib import Path

import numpy as np

from hirescam.ct.refusal import refusing
from hirescam.ct.volume import Volume
from hirescam.errors import GeometryError, ReadError, UnknownFormatError, VoxelError

READERS = {
    ".nii": "hirescam.ct.nifti:read_nifti",
    ".nii.gz": "hirescam.ct.nifti:read_nifti",
    ".npz": "hirescam.ct.npz:read_npz",
    ".nrrd": "hirescam.ct.itk:read_itk",
    ".nhdr": "hirescam.ct.itk:read_itk",
    ".mha": "hirescam.ct.itk:read_itk",
    ".mhd": "hirescam.ct.itk:read_itk",
    ".dcm": "hirescam.ct.dicom:read_dicom",
}
FOLDER_READER = "hirescam.ct.dicom:read_dicom"

# Above it, the far end of a 300 mm scan lies over 0.3 mm from where right angles would put it.
_LARGEST_COSINE = 1e-3


def read_volume(path: str | Path) -> Volume:
    """The scan in a file, or in a folder that holds one DICOM series.

    Reads NIfTI, RAD-ChestCT NPZ, NRRD, MetaImage and DICOM. What cannot be read without a
    guess is a `ReadError` that names the file, never its place on disk nor its patient.
    """
    path = Path(path).absolute()  # so that "." has a name too
    with refusing(path):
        if not path.exists():
            raise ReadError("there is no such file or folder: check the path")
        module, function = _reader(path).split(":")
        volume: Volume = getattr(import_module(module), function)(path)
        _check_values(volume)
        _check_angles(volume)
    return volume


def _reader(path: Path) -> str:
    if path.is_dir():
        return FOLDER_READER
    for suffix, reader in READERS.items():
        if path.name.lower().endswith(suffix):
            return reader
    raise UnknownFormatError(
        f"no reader knows this kind of file: give a folder with one DICOM series, "
        f"or a file ending in {', '.join(READERS)}"
    )


def _check_values(volume: Volume) -> None:
    bad = volume.voxels.size - sum(np.count_nonzero(np.isfinite(it)) for it in volume.voxels)
    if bad:
        raise VoxelError(
            f"{bad} of {volume.voxels.size} voxels are NaN or infinite: "
            f"write the scan again with air (−1000 HU) in their place"
        )


def _check_angles(volume: Volume) -> None:
    directions = volume.affine[:3, :3] / np.array(volume.spacing_mm)
    cosine = np.abs(np.triu(directions.T @ directions, k=1)).max()
    if cosine > _LARGEST_COSINE:
        raise GeometryError(
            f"its axes are {np.degrees(np.arcsin(min(cosine, 1.0))):.2f}° off right angles, as "
            f"by gantry tilt: resample the scan to a rectangular grid first"
        )
