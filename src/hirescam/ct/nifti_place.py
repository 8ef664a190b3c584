"""Where a NIfTI image lies: by sform or qform, and refused where they contradict each other.

sform is an affine; qform a rotation, with the spacing in pixdim. Where both are given, sform
counts, as in nibabel and ITK; that they agree is checked.
"""

import itertools

import nibabel as nib
import numpy as np
from jaxtyping import Float, Float64

from hirescam.errors import GeometryError

_CODES = range(6)
_NUMBERS = {
    "sform": ("srow_x", "srow_y", "srow_z"),
    "qform": ("quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z"),
}
_LARGEST_MM = 1e6
_FAR_VOXELS = 0.5  # further apart than this, two places of one corner are two places
_UNEQUAL = 0.01  # of a spacing


def nifti_affine(header: nib.Nifti1Header) -> Float64[np.ndarray, "4 4"]:
    """Affine from column, row, slice to the patient (RAS mm), or `GeometryError`."""
    codes = {form: int(header[f"{form}_code"]) for form in ("sform", "qform")}
    for form, code in codes.items():
        if code not in _CODES:
            raise GeometryError(f"{form}_code is {code}, expected 0 to 5: write it again")
    if not any(codes.values()):
        raise GeometryError(
            "neither sform nor qform says where the image lies in the patient: convert it "
            "again from its DICOM series, or set one of them"
        )
    _check_unit(header)
    _check_numbers(header, [form for form, code in codes.items() if code])
    spacing_mm = np.abs(header["pixdim"][1:4].astype(float))
    sform = header.get_sform().astype(float) if codes["sform"] else None
    if sform is not None:
        _check_spacing(spacing_mm, np.linalg.norm(sform[:3, :3], axis=0))
    if not codes["qform"]:
        assert sform is not None
        return sform
    qform = _qform(header)
    if sform is None:
        return qform
    _check_agree(sform, qform, header["dim"][1:4].astype(float))
    return sform


def _check_unit(header: nib.Nifti1Header) -> None:
    unit = header.get_xyzt_units()[0]
    if unit not in ("mm", "unknown"):
        raise GeometryError(f"measures space in {unit}, expected mm: write it again in mm")


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
            f"correct the one that is wrong"
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
            f"set the code of the one that is wrong to 0"
        )


def _mm(lengths: Float[np.ndarray, "3"]) -> str:
    return " × ".join(f"{length:.4g}" for length in lengths)
