"""NRRD and MetaImage, read by SimpleITK."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from hirescam.ct.hounsfield import check_three_axes, hounsfield
from hirescam.ct.lps import affine_from_lps
from hirescam.ct.metaimage import check_complete
from hirescam.ct.volume import Volume
from hirescam.errors import GeometryError, VoxelError


def read_itk(path: Path) -> Volume:
    """The scan in a .nrrd, .nhdr, .mha or .mhd file."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    with _muted():
        reader.ReadImageInformation()
    _check(reader)
    if path.suffix.lower() in (".mha", ".mhd"):
        check_complete(path, voxel_bytes=_voxel_bytes(reader))
    with _muted():
        image = reader.Execute()
    planes = [hounsfield(plane) for plane in sitk.GetArrayViewFromImage(image)]
    steps = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    affine = affine_from_lps(np.array(image.GetOrigin()), *steps.T[::-1])
    return Volume(np.stack(planes), affine)


@contextmanager
def _muted() -> Iterator[None]:
    """Nothing that C++ prints reaches the terminal: what matters of it is raised as well."""
    terminal = os.dup(2)
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)


def _check(reader: sitk.ImageFileReader) -> None:
    check_three_axes(reader.GetSize())
    if reader.GetNumberOfComponents() != 1:
        raise VoxelError(
            f"has {reader.GetNumberOfComponents()} values per voxel, expected 1: "
            f"give the CT itself, not a picture or a field"
        )
    is_nrrd = reader.GetMetaData("ITK_InputFilterName") == "NrrdImageIO"
    if is_nrrd and not reader.HasMetaDataKey("NRRD_space"):
        raise GeometryError(
            "its header has no `space` that says where the image lies in the patient: convert "
            "it again from its DICOM series"
        )


def _voxel_bytes(reader: sitk.ImageFileReader) -> int:
    one_voxel = sitk.Image([1, 1, 1], reader.GetPixelID())
    return math.prod(reader.GetSize()) * one_voxel.GetSizeOfPixelComponent()
