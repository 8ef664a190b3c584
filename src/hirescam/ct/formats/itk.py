"""NRRD and MetaImage, read by SimpleITK once their headers leave it nothing to guess."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from hirescam.ct.dicom.pixels import silence_native_output
from hirescam.ct.formats.metaimage import metaimage_payload
from hirescam.ct.formats.nrrd import nrrd_payload
from hirescam.ct.formats.payload import check_payload
from hirescam.ct.validation import announced_bytes, check_three_axes, hounsfield
from hirescam.ct.volume import Volume, affine_from_lps
from hirescam.errors import VoxelError

_PAYLOADS = {
    ".nrrd": nrrd_payload,
    ".nhdr": nrrd_payload,
    ".mha": metaimage_payload,
    ".mhd": metaimage_payload,
}


def read_itk(path: Path) -> Volume:
    """The scan in a .nrrd, .nhdr, .mha or .mhd file."""
    payload = _PAYLOADS[path.suffix.lower()](path)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    with silence_native_output():
        reader.ReadImageInformation()
    _check(reader)
    check_payload(payload, announced=announced_bytes(reader.GetSize(), _voxel_bytes(reader)))
    with silence_native_output():
        image = reader.Execute()
    planes = [hounsfield(plane) for plane in sitk.GetArrayViewFromImage(image)]
    steps = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    affine = affine_from_lps(np.array(image.GetOrigin()), *steps.T[::-1])
    return Volume(np.stack(planes), affine)


def _check(reader: sitk.ImageFileReader) -> None:
    check_three_axes(reader.GetSize())
    if reader.GetNumberOfComponents() != 1:
        raise VoxelError(
            f"has {reader.GetNumberOfComponents()} values per voxel, expected 1: "
            f"give the CT itself, not a picture or a field"
        )


def _voxel_bytes(reader: sitk.ImageFileReader) -> int:
    one_voxel = sitk.Image([1, 1, 1], reader.GetPixelID())
    return int(one_voxel.GetSizeOfPixelComponent())
