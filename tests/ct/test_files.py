"""read_volume: what holds whatever the format."""

import os

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from hirescam import errors
from hirescam.ct.reading import READERS, read_volume
from make import affine

FORMATS = [".nii", ".nii.gz", ".npz", ".nrrd", ".mha"]


def nifti(path, voxels, matrix=None):
    image = nib.Nifti1Image(voxels, np.eye(4) if matrix is None else matrix)
    nib.save(image, path)
    return path


def test_a_missing_path_is_refused(tmp_path, refused):
    refused(tmp_path / "scan.nii.gz", errors.ReadError, "no such file or folder")


def test_an_empty_folder_is_refused(tmp_path, refused):
    (tmp_path / "scan").mkdir()
    refused(tmp_path / "scan", errors.ReadError, "holds no files", "give the folder")


def test_a_picture_is_refused_with_the_formats_that_are_read(tmp_path, refused):
    Image.new("L", (8, 8)).save(tmp_path / "chest.png")
    refused(tmp_path / "chest.png", errors.UnknownFormatError, "DICOM series", *READERS)


@pytest.mark.parametrize("suffix", [*READERS])
@pytest.mark.parametrize("content", [b"", b"not a scan", bytes(600)])
def test_a_file_that_is_not_what_its_name_says_is_refused(suffix, content, tmp_path, capfd):
    path = tmp_path / f"scan{suffix}"
    path.write_bytes(content)
    with pytest.raises(errors.ReadError, match=path.name):
        read_volume(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_voxels_without_a_value_are_refused_and_counted(
    suffix, value, tmp_path, refused, write
):
    voxels = np.full((4, 5, 6), -1000, np.float32)
    voxels[1, 2, 3:5] = value
    path = write(tmp_path / f"scan{suffix}", voxels)
    refused(path, errors.VoxelError, "2 of 120 voxels are NaN or infinite", "−1000 HU")


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_8_bit_values_are_refused(suffix, dtype, tmp_path, refused, write):
    path = write(tmp_path / f"scan{suffix}", np.zeros((4, 5, 6), dtype))
    refused(path, errors.VoxelError, f"8-bit ({np.dtype(dtype).name})", "not a picture")


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_whole_hounsfield_units_become_int16_whatever_their_type(
    suffix, dtype, tmp_path, write
):
    voxels = np.arange(4 * 5 * 6).reshape(4, 5, 6).astype(dtype)
    read = read_volume(write(tmp_path / f"scan{suffix}", voxels)).voxels
    assert read.dtype == np.int16
    assert np.array_equal(read, voxels)


@pytest.mark.parametrize("suffix", FORMATS)
def test_fractions_stay_fractions(suffix, tmp_path, write):
    voxels = np.linspace(-1000, 800, 120, dtype=np.float32).reshape(4, 5, 6)
    read = read_volume(write(tmp_path / f"scan{suffix}", voxels)).voxels
    assert read.dtype == np.float32
    assert np.array_equal(read, voxels)


@pytest.mark.parametrize("suffix", FORMATS)
def test_two_axes_are_refused(suffix, tmp_path, refused, write):
    path = write(tmp_path / f"scan{suffix}", np.zeros((16, 16), np.int16))
    refused(path, errors.VoxelError, "axes", "expected 3")


def test_sheared_axes_are_refused_with_their_angle(tmp_path, refused):
    matrix = affine()
    matrix[1, 2] = np.tan(np.radians(15))
    path = nifti(tmp_path / "tilted.nii", np.zeros((4, 5, 6), np.int16), matrix)
    refused(path, errors.GeometryError, "15.00° off right angles", "resample")


def test_rounding_in_the_affine_is_no_shear(tmp_path):
    matrix = np.round(affine(tilt_deg=17, spacing=(0.7, 0.7, 0.7)), 4)
    assert read_volume(nifti(tmp_path / "oblique.nii", np.zeros((4, 5, 6), np.int16), matrix))


def test_an_affine_of_zeros_is_refused(tmp_path, refused):
    image = nib.Nifti1Image(np.zeros((4, 5, 6), np.int16), np.eye(4))
    image.header["srow_x"] = 0
    image.header["sform_code"] = 1
    image.header["qform_code"] = 0
    (tmp_path / "flat.nii").write_bytes(
        nib.Nifti1Image(image.dataobj, None, image.header).to_bytes()
    )
    refused(tmp_path / "flat.nii", errors.GeometryError, "1 × 1 × 1 mm", "sform 0 × 1 × 1")


def test_a_path_may_be_text(tmp_path, write):
    path = write(tmp_path / "scan.nrrd", np.zeros((4, 5, 6), np.int16))
    assert read_volume(str(path)).shape == (4, 5, 6)


@pytest.mark.parametrize("name", ["scan.nii", "scan.nrrd", "scan.mha", "scan.npy", "scan.dcm"])
def test_pipes_and_devices_are_refused_at_once(name, tmp_path, refused):
    os.mkfifo(tmp_path / name)
    refused(tmp_path / name, errors.ReadError, "no regular file")
    (tmp_path / name).unlink()
    (tmp_path / name).symlink_to("/dev/zero")
    refused(tmp_path / name, errors.ReadError, "no regular file")
