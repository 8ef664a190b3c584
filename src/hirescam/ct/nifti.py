"""NIfTI: one 3-D image with a stated place in the patient."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from io import IOBase
from pathlib import Path
from typing import cast

import nibabel as nib
import numpy as np
from jaxtyping import Shaped
from nibabel.arrayproxy import ArrayProxy
from nibabel.imageglobals import logger

from hirescam.ct.hounsfield import check_three_axes, hounsfield
from hirescam.ct.volume import Volume
from hirescam.errors import GeometryError, ReadError

_KINDS = (nib.Nifti1Image, nib.Nifti2Image)


def read_nifti(path: Path) -> Volume:
    """The image in a .nii or .nii.gz file, its own scaling applied."""
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    with opened(path, "rb") as file, _unlogged():
        stream = cast(IOBase, file)
        image = _image(stream)
        _check_place(image.header)
        proxy = cast(ArrayProxy, image.dataobj)
        stored = _three_axes(proxy.get_unscaled())
        while stream.read(1 << 20):  # to the end, where gzip keeps its checksum
            pass
    planes = [hounsfield(plane, proxy.slope, proxy.inter) for plane in stored.T]
    return Volume(np.stack(planes), image.affine[:, [2, 1, 0, 3]])  # it counts columns first


@contextmanager
def _unlogged() -> Iterator[None]:
    """Without nibabel's notes to the terminal on small header faults that it mends."""
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _image(stream: IOBase) -> nib.Nifti1Image:
    start = stream.read(540)  # as long as the longer of both headers
    stream.seek(0)
    for kind in _KINDS:
        if kind.header_class.may_contain_header(start):
            return kind.from_stream(stream)
    raise ReadError("does not begin as NIfTI does: convert the scan to NIfTI again")


def _check_place(header: nib.Nifti1Header) -> None:
    if not (header["sform_code"] or header["qform_code"]):
        raise GeometryError(
            "neither sform nor qform says where the image lies in the patient: convert it "
            "again from its DICOM series, or set one of them"
        )
    unit = header.get_xyzt_units()[0]
    if unit not in ("mm", "unknown"):
        raise GeometryError(f"measures space in {unit}, expected mm: write it again in mm")


def _three_axes(stored: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "column row slice"]:
    if all(length == 1 for length in stored.shape[3:]):
        stored = stored.reshape(stored.shape[:3])
    check_three_axes(stored.shape)
    return stored
