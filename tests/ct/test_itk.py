"""NRRD and MetaImage: place, and damage that ITK passes over or only prints."""

import numpy as np
import pytest
import SimpleITK as sitk

from hirescam import errors
from hirescam.ct.files import read_volume
from make import volume

FORMATS = [".nrrd", ".nhdr", ".mha", ".mhd"]


def write(path, scan, *, compressed=True):
    """`scan` as ITK stores it: columns first, measured to the left and back."""
    lps = np.diag([-1, -1, 1, 1]) @ scan.affine
    image = sitk.GetImageFromArray(scan.voxels)
    image.SetSpacing(scan.spacing_mm[::-1])
    image.SetOrigin(lps[:3, 3])
    image.SetDirection((lps[:3, :3] / scan.spacing_mm)[:, ::-1].ravel())
    sitk.WriteImage(image, path, useCompression=compressed)
    return path


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("compressed", [True, False])
def test_every_voxel_keeps_its_value_and_its_place(suffix, compressed, tmp_path):
    scan = volume(spacing=(3, 2, 1), origin=(7, 8, 9), tilt_deg=20, flips=(1, -1, 1))
    read = read_volume(write(tmp_path / f"scan{suffix}", scan, compressed=compressed))
    assert np.array_equal(read.voxels, scan.voxels)
    np.testing.assert_allclose(read.affine, scan.affine, atol=1e-9)


def test_a_marker_lies_where_itk_says(tmp_path):
    path = write(tmp_path / "scan.nrrd", volume(spacing=(3, 2, 1), tilt_deg=20))
    left, back, head = sitk.ReadImage(path).TransformIndexToPhysicalPoint((5, 4, 3))
    place = read_volume(path).affine @ [3, 4, 5, 1]
    np.testing.assert_allclose(place[:3], [-left, -back, head], atol=1e-9)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_four_axes_are_refused(suffix, tmp_path, refused):
    image = sitk.JoinSeries([sitk.Image(4, 5, 6, sitk.sitkInt16)] * 2)
    sitk.WriteImage(image, tmp_path / f"scan{suffix}")
    refused(tmp_path / f"scan{suffix}", errors.VoxelError, "4 axes (4, 5, 6, 2)")


@pytest.mark.parametrize(
    ("suffix", "found"), [(".nrrd", "4 axes (3, 4, 5, 6)"), (".mha", "3 values per voxel")]
)
def test_several_values_per_voxel_are_refused(suffix, found, tmp_path, refused):
    image = sitk.Image([4, 5, 6], sitk.sitkVectorInt16, 3)
    sitk.WriteImage(image, tmp_path / f"scan{suffix}")
    refused(tmp_path / f"scan{suffix}", errors.VoxelError, found)


def test_an_nrrd_without_a_space_is_refused(tmp_path, refused):
    header = "NRRD0004\ntype: short\ndimension: 3\nsizes: 2 2 2\nspacings: 1 1 1\n"
    path = tmp_path / "scan.nrrd"
    path.write_bytes(f"{header}endian: little\nencoding: raw\n\n".encode() + bytes(16))
    refused(path, errors.GeometryError, "no `space`", "DICOM")


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("cut", [50, 1000])
def test_a_truncated_file_is_refused_in_silence(
    suffix, compressed, cut, tmp_path, refused, capfd
):
    path = write(tmp_path / f"scan{suffix}", volume(), compressed=compressed)
    path.write_bytes(path.read_bytes()[:-cut])
    refused(path, errors.ReadError, "fetch it again")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_broken_header_is_refused_in_silence(suffix, tmp_path, refused, capfd):
    path = write(tmp_path / f"scan{suffix}", volume())
    path.write_bytes(path.read_bytes().replace(b"3", b"x").replace(b"DimSize", b"Dims"))
    refused(path, errors.ReadError, "fetch it again")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
@pytest.mark.parametrize("back", [6, 1000, 2000])
def test_a_flipped_byte_among_compressed_voxels_is_refused(
    suffix, back, tmp_path, refused, capfd
):
    path = write(tmp_path / f"scan{suffix}", volume())
    damaged = bytearray(path.read_bytes())
    damaged[-back] ^= 255
    path.write_bytes(damaged)
    refused(path, errors.ReadError, "damaged")
    assert capfd.readouterr() == ("", "")


def test_voxels_missing_beside_their_header_are_refused(tmp_path, refused):
    path = write(tmp_path / "scan.mhd", volume())
    path.with_suffix(".zraw").unlink()
    refused(path, errors.ReadError, "not in one file beside it")


def test_voxels_elsewhere_on_the_disk_are_refused(tmp_path, refused):
    path = write(tmp_path / "scan.mhd", volume())
    path.write_text(path.read_text().replace("scan.zraw", "../scan.zraw"))
    (tmp_path / "scan.zraw").rename(tmp_path.parent / "scan.zraw")
    refused(path, errors.ReadError, "not in one file beside it")
