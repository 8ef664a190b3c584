"""Writing NIfTI: values, and where they lie in the patient; nothing about the patient."""

from io import IOBase
from pathlib import Path
from typing import cast

import nibabel as nib
import numpy as np
from jaxtyping import Float64, Shaped

from hirescam.atomic import atomic_write
from hirescam.ct.angles import is_rectangular

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
