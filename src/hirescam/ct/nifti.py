"""NIfTI: one 3-D image with a stated place in the patient.

Only the header and the voxels are read; what extensions or free text say never is. The
standard: https://nifti.nimh.nih.gov/nifti-1
"""

import gzip
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from jaxtyping import Shaped

from hirescam.ct.hounsfield import check_three_axes, hounsfield
from hirescam.ct.limits import announced_bytes, check_inflation
from hirescam.ct.nifti_place import nifti_affine
from hirescam.ct.payload import check_held, read_exactly
from hirescam.ct.volume import Volume
from hirescam.errors import ReadError, VoxelError

# Kinds of header, and how files are marked that keep their voxels behind it.
_KINDS: dict[Any, bytes] = {nib.Nifti1Header: b"n+1", nib.Nifti2Header: b"n+2"}
_LONGEST_HEADER = 540


def read_nifti(path: Path) -> Volume:
    """The image in a .nii or .nii.gz file, its own scaling applied."""
    header, voxels = stored_nifti(path)
    affine = nifti_affine(header)
    return Volume(voxels, affine[:, [2, 1, 0, 3]])  # it counts columns first


def stored_nifti(
    path: Path,
) -> tuple[nib.Nifti1Header, Shaped[np.ndarray, "slice row column"]]:
    """The header as it is written, and the voxels with the file's own scaling applied."""
    packed = path.suffix.lower() == ".gz"
    with gzip.open(path, "rb") if packed else path.open("rb") as stream:
        header = _header(stream)
        slope, intercept = _scaling(header)
        stored = _voxels(stream, header, held=path.stat().st_size, packed=packed)
    return header, np.stack([hounsfield(plane, slope, intercept) for plane in stored])


def _header(stream: BufferedIOBase) -> nib.Nifti1Header:
    start = stream.read(_LONGEST_HEADER)
    for kind, mark in _KINDS.items():
        if kind.may_contain_header(start):
            header = kind(start[: kind.sizeof_hdr], check=False)  # checked here, mended never
            if not bytes(header["magic"]).startswith(mark):
                raise ReadError(
                    "keeps its voxels in another file (.img): give the scan as one .nii file"
                )
            return header
    raise ReadError("does not begin as NIfTI does: convert the scan to NIfTI again")


def _scaling(header: nib.Nifti1Header) -> tuple[float, float]:
    """Slope and intercept; by the standard a slope of 0 means that there is no scaling."""
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if all(number == 0 or np.isnan(number) for number in (slope, intercept)):
        return 1.0, 0.0
    if slope == 0 or not np.isfinite([slope, intercept]).all():
        raise VoxelError(
            f"scl_slope is {slope:g} but scl_inter is {intercept:g}, which contradict each "
            f"other: set both as the values need, or both to 0 if they are HU already"
        )
    return slope, intercept


def _voxels(
    stream: BufferedIOBase, header: nib.Nifti1Header, *, held: int, packed: bool
) -> Shaped[np.ndarray, "slice row column"]:
    """All that the header announces, and not a byte more or less."""
    dtype = header.get_data_dtype()
    shape = _shape(header)
    size = announced_bytes(shape, dtype.itemsize)
    offset = int(header["vox_offset"])
    if offset < header.single_vox_offset:
        raise ReadError(f"its voxels begin at byte {offset}, within its header: fetch it again")
    if packed:
        check_inflation(offset + size, held)
    else:
        check_held(held - offset, size)
    stream.seek(offset)
    return read_exactly(stream, size).view(dtype).reshape(shape[::-1])


def _shape(header: nib.Nifti1Header) -> tuple[int, int, int]:
    count, *lengths = (int(length) for length in header["dim"])
    lengths = lengths[:count]
    while len(lengths) > 3 and lengths[-1] == 1:  # one point in time is no axis
        lengths.pop()
    check_three_axes(lengths)
    columns, rows, slices = lengths
    return columns, rows, slices
