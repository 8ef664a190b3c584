"""NIfTI: one 3-D image with a stated place in the patient.

Only the header and the voxels are read; what extensions or free text say never is. The
standard: https://nifti.nimh.nih.gov/nifti-1
"""

import itertools
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from jaxtyping import Float, Float64, Shaped

from hirescam.ct.formats.payload import (
    check_held,
    check_regular,
    check_unit,
    inflated,
    read_exactly,
)
from hirescam.ct.validation import (
    announced_bytes,
    check_inflation,
    check_three_axes,
    hounsfield,
)
from hirescam.ct.volume import Volume
from hirescam.errors import GeometryError, ReadError, VoxelError

# --- Where a NIfTI image lies: by sform or qform, and refused where they contradict each other
# sform is an affine; qform a rotation, with the spacing in pixdim. Where both are given, sform
# counts, as in nibabel and ITK; that they agree is checked.

_CODES = range(6)
_UNITS_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}  # codes of xyzt_units; 0 is unknown
_PREFER = "or say which is right (prefer_form='sform' or 'qform', --prefer-form sform)"
_NUMBERS = {
    "sform": ("srow_x", "srow_y", "srow_z"),
    "qform": ("quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z"),
}
_LARGEST_MM = 1e6
_FAR_VOXELS = 0.5  # further apart than this, two places of one corner are two places
_UNEQUAL = 0.01  # of a spacing


def nifti_affine(
    header: nib.Nifti1Header, *, prefer_form: str | None = None
) -> Float64[np.ndarray, "4 4"]:
    """Affine from column, row, slice to the patient (RAS mm), or `GeometryError`.

    Lengths in other units than mm are converted. `prefer_form` ("sform" or "qform") counts
    alone, where both are given and differ.
    """
    unit_mm = _unit_mm(header)
    affine = _affine_in_file(header, prefer_form)
    affine[:3] *= unit_mm
    spacing_mm = np.linalg.norm(affine[:3, :3], axis=0)
    unit = header.get_xyzt_units()[0]
    check_unit(spacing_mm, unit_mm, f"measures space in {unit}, expected mm")
    return affine


def _affine_in_file(
    header: nib.Nifti1Header, prefer_form: str | None
) -> Float64[np.ndarray, "4 4"]:
    codes = {form: int(header[f"{form}_code"]) for form in ("sform", "qform")}
    for form, code in codes.items():
        if code not in _CODES:
            raise GeometryError(f"{form}_code is {code}, expected 0 to 5: write it again")
    if not any(codes.values()):
        raise GeometryError(
            "neither sform nor qform says where the image lies in the patient: convert it "
            "again from its DICOM series, or set one of them"
        )
    if prefer_form is not None:
        if not codes.get(prefer_form):
            raise GeometryError(f"its {prefer_form}, which is preferred, is not set: set it")
        codes = {form: code if form == prefer_form else 0 for form, code in codes.items()}
    _check_numbers(header, [form for form, code in codes.items() if code])
    spacing_mm = np.abs(header["pixdim"][1:4].astype(float))
    sform = header.get_sform().astype(float) if codes["sform"] else None
    if sform is not None and prefer_form is None:
        _check_spacing(spacing_mm, np.linalg.norm(sform[:3, :3], axis=0))
    if not codes["qform"]:
        assert sform is not None
        return sform
    qform = _qform(header)
    if sform is None:
        return qform
    _check_agree(sform, qform, header["dim"][1:4].astype(float))
    return sform


def _unit_mm(header: nib.Nifti1Header) -> float:
    code = int(header["xyzt_units"]) & 7
    if code not in _UNITS_MM:
        raise GeometryError(
            f"xyzt_units is {int(header['xyzt_units'])}, whose code of length {code} NIfTI "
            f"does not know, expected 1 (m), 2 (mm) or 3 (micron): correct it"
        )
    return _UNITS_MM[code]


def _check_numbers(header: nib.Nifti1Header, forms: list[str]) -> None:
    for form in forms:
        numbers = np.concatenate([np.ravel(header[name]) for name in _NUMBERS[form]])
        if not (np.abs(numbers) < _LARGEST_MM).all():
            raise GeometryError(
                f"{form} holds a number that is no place in mm: write the scan again, or set "
                f"{form}_code to 0"
            )


def _check_spacing(pixdim_mm: Float[np.ndarray, "3"], sform_mm: Float[np.ndarray, "3"]) -> None:
    if not np.allclose(pixdim_mm, sform_mm, rtol=_UNEQUAL, atol=0):
        raise GeometryError(
            f"pixdim says that voxels lie {_mm(pixdim_mm)} mm apart, sform {_mm(sform_mm)}: "
            f"correct the one that is wrong, {_PREFER}"
        )


def _qform(header: nib.Nifti1Header) -> Float64[np.ndarray, "4 4"]:
    spacing_mm = header["pixdim"][1:4]
    if not ((spacing_mm > 0) & (spacing_mm < _LARGEST_MM)).all():
        raise GeometryError(
            f"pixdim is {_mm(spacing_mm)}, expected three lengths above 0 mm: "
            f"write it again with its spacing"
        )
    if not header["pixdim"][0]:
        header["pixdim"][0] = 1  # by the standard: not given means not mirrored
    return header.get_qform().astype(float)


def _check_agree(
    sform: Float64[np.ndarray, "4 4"],
    qform: Float64[np.ndarray, "4 4"],
    shape: Float[np.ndarray, "3"],
) -> None:
    corners = np.array(
        [[*corner, 1] for corner in itertools.product(*((0, n - 1) for n in shape))]
    )
    off_mm = float(np.linalg.norm(corners @ (sform - qform).T, axis=1).max())
    spacing_mm = np.linalg.norm(sform[:3, :3], axis=0)
    if not off_mm <= _FAR_VOXELS * spacing_mm.min():
        raise GeometryError(
            f"sform and qform place a corner of the image {off_mm:.1f} mm apart: "
            f"set the code of the one that is wrong to 0, {_PREFER}"
        )


def _mm(lengths: Float[np.ndarray, "3"]) -> str:
    return " × ".join(f"{length:.4g}" for length in lengths)


# --- NIfTI: one 3-D image with a stated place in the patient
# Only the header and the voxels are read; what extensions or free text say never is. The
# standard: https://nifti.nimh.nih.gov/nifti-1

# Kinds of header, and how files are marked that keep their voxels behind it.
_KINDS: dict[Any, bytes] = {nib.Nifti1Header: b"n+1", nib.Nifti2Header: b"n+2"}
_GZIP = b"\x1f\x8b"
_CHUNK_BYTES = 1 << 20


def read_nifti(path: Path, *, prefer_form: str | None = None) -> Volume:
    """The image in a .nii or .nii.gz file, its own scaling applied."""
    header, voxels = stored_nifti(path)
    affine = nifti_affine(header, prefer_form=prefer_form)
    return Volume(voxels, affine[:, [2, 1, 0, 3]])  # it counts columns first


def stored_nifti(
    path: Path,
) -> tuple[nib.Nifti1Header, Shaped[np.ndarray, "slice row column"]]:
    """The header as it is written, and the voxels with the file's own scaling applied."""
    check_regular(path)
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP  # whatever its name says
        file.seek(0)
        stream = inflated(file, "gzip") if packed else file
        header = _header(stream)
        slope, intercept = _scaling(header)
        stored = _voxels(stream, header, held=path.stat().st_size, packed=packed)
    return header, np.stack([hounsfield(plane, slope, intercept) for plane in stored])


def _header(stream: BufferedIOBase) -> nib.Nifti1Header:
    start = b""
    for kind, mark in _KINDS.items():
        start += stream.read(kind.sizeof_hdr - len(start))
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
    offset = int(header["vox_offset"]) or header.single_vox_offset
    if offset < header.single_vox_offset:
        raise ReadError(f"its voxels begin at byte {offset}, within its header: fetch it again")
    if packed:
        check_inflation(offset + size, held)
    elif held - offset < size:
        check_held(held - offset, size)
    _skip(stream, offset - header.sizeof_hdr)
    rest = None if packed else held - offset
    return (
        read_exactly(stream, size, padding="zeros", held=rest).view(dtype).reshape(shape[::-1])
    )


def _skip(stream: BufferedIOBase, count: int) -> None:
    while count > 0:
        passed = len(stream.read(min(count, _CHUNK_BYTES)))
        if not passed:
            raise EOFError
        count -= passed


def _shape(header: nib.Nifti1Header) -> tuple[int, int, int]:
    count, *lengths = (int(length) for length in header["dim"])
    lengths = lengths[:count]
    while len(lengths) > 3 and lengths[-1] == 1:  # one point in time is no axis
        lengths.pop()
    check_three_axes(lengths)
    columns, rows, slices = lengths
    return columns, rows, slices
