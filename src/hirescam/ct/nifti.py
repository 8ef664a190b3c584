"""NIfTI: one 3-D image with a stated place in the patient.

Only the header and the voxels are read; what extensions or free text say never is. The
standard: https://nifti.nimh.nih.gov/nifti-1
"""

import gzip
from io import IOBase
from pathlib import Path
from typing import cast

import nibabel as nib
import numpy as np
from jaxtyping import Shaped

from hirescam.ct.hounsfield import check_three_axes, hounsfield
from hirescam.ct.limits import announced_bytes, check_inflation
from hirescam.ct.nifti_place import nifti_affine
from hirescam.ct.volume import Volume
from hirescam.errors import ReadError, VoxelError

_KINDS = {nib.Nifti1Header: b"n+1", nib.Nifti2Header: b"n+2"}  # and how its files are marked
_LONGEST_HEADER = 540


def read_nifti(path: Path) -> Volume:
    """The image in a .nii or .nii.gz file, its own scaling applied."""
    packed = path.suffix.lower() == ".gz"
    with gzip.open(path, "rb") if packed else path.open("rb") as file:
        stream = cast(IOBase, file)
        header = _header(stream)
        affine = nifti_affine(header)
        slope, intercept = _scaling(header)
        stored = _voxels(stream, header, held=path.stat().st_size, packed=packed)
    planes = [hounsfield(plane, slope, intercept) for plane in stored]
    return Volume(np.stack(planes), affine[:, [2, 1, 0, 3]])  # it counts columns first


def _header(stream: IOBase) -> nib.Nifti1Header:
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
    if np.isfinite([slope, intercept]).all() and (slope or not intercept):
        return (slope, intercept) if slope else (1.0, 0.0)
    if np.isnan(slope) and (np.isnan(intercept) or not intercept):
        return 1.0, 0.0
    raise VoxelError(
        f"scl_slope is {slope:g} but scl_inter is {intercept:g}, which contradict each other: "
        f"set both as the values need, or both to 0 if they are Hounsfield units already"
    )


def _voxels(
    stream: IOBase, header: nib.Nifti1Header, *, held: int, packed: bool
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
    elif offset + size != held:
        raise _unequal(held, offset + size)
    stream.seek(offset)
    stored = np.empty(size, np.uint8)
    read = _fill(memoryview(stored), stream)
    if read < size:
        raise _unequal(offset + read, offset + size)
    if stream.read(1):  # to the end, where gzip keeps its checksum
        raise _unequal("more", offset + size)
    return stored.view(dtype).reshape(shape[::-1])


def _shape(header: nib.Nifti1Header) -> tuple[int, int, int]:
    count, *lengths = (int(length) for length in header["dim"])
    lengths = lengths[:count]
    while len(lengths) > 3 and lengths[-1] == 1:  # one point in time is no axis
        lengths.pop()
    check_three_axes(lengths)
    columns, rows, slices = lengths
    return columns, rows, slices


def _fill(buffer: memoryview, stream: IOBase) -> int:
    read = 0
    while read < len(buffer) and (more := stream.readinto(buffer[read:])):  # type: ignore[attr-defined]  # every binary stream has it
        read += more
    return read


def _unequal(found: int | str, announced: int) -> ReadError:
    return ReadError(
        f"holds {found} bytes where its header announces {announced}: it was cut short or its "
        f"header was changed; fetch it again from its source"
    )
