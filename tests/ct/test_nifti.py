"""NIfTI: scaling, place, and damage that other readers pass over."""

import gzip

import nibabel as nib
import numpy as np
import pytest

from hirescam import errors
from hirescam.ct.reading import read_volume
from make import affine


def image(voxels, matrix=None, kind=nib.Nifti1Image):
    return kind(voxels, np.eye(4) if matrix is None else matrix)


def noise(*shape):
    return np.random.default_rng(0).integers(-1000, 800, shape).astype(np.int16)


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_every_voxel_keeps_its_value_and_its_place(kind, suffix, tmp_path):
    voxels, matrix = noise(4, 5, 6), affine(tilt_deg=20, spacing=(3, 2, 1), origin=(7, 8, 9))
    if kind is nib.Nifti1Image:
        matrix = matrix.astype(np.float32)  # as it stores it
    nib.save(image(voxels, matrix, kind), tmp_path / f"scan{suffix}")
    scan = read_volume(tmp_path / f"scan{suffix}")
    assert scan.voxels[5, 3, 2] == voxels[2, 3, 5]
    assert np.array_equal(scan.voxels, voxels.transpose(2, 1, 0))
    np.testing.assert_allclose(scan.affine @ [5, 3, 2, 1], matrix @ [2, 3, 5, 1], atol=1e-4)


def test_the_files_own_scaling_is_applied(tmp_path):
    stored = image(noise(4, 5, 6))
    stored.header.set_slope_inter(2, -24)
    nib.save(stored, tmp_path / "scan.nii")
    expected = nib.load(tmp_path / "scan.nii").get_fdata()
    read = read_volume(tmp_path / "scan.nii").voxels
    assert read.dtype == np.int16
    assert np.abs(read - expected.T).max() < 1


def test_a_trailing_axis_of_one_is_no_axis(tmp_path):
    nib.save(image(noise(4, 5, 6, 1)), tmp_path / "scan.nii")
    assert read_volume(tmp_path / "scan.nii").shape == (6, 5, 4)


def test_four_dimensions_are_refused(tmp_path, refused):
    nib.save(image(noise(4, 5, 6, 2)), tmp_path / "scan.nii.gz")
    refused(tmp_path / "scan.nii.gz", errors.VoxelError, "4 axes (4, 5, 6, 2)", "one 3-D scan")


def test_colours_are_refused(tmp_path, refused):
    colours = np.zeros((4, 5, 6), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(image(colours), tmp_path / "scan.nii")
    refused(tmp_path / "scan.nii", errors.VoxelError, "colours", "the CT itself")


def test_no_place_in_the_patient_is_refused(tmp_path, refused):
    placeless = nib.Nifti1Image(noise(4, 5, 6), None)
    nib.save(placeless, tmp_path / "scan.nii")
    refused(tmp_path / "scan.nii", errors.GeometryError, "neither sform nor qform")


def test_what_nibabel_mends_is_mended_in_silence(tmp_path, capfd):
    nib.save(image(noise(4, 5, 6)), tmp_path / "scan.nii")
    content = bytearray((tmp_path / "scan.nii").read_bytes())
    content[80:84] = np.float32(-1).tobytes()  # a negative spacing
    (tmp_path / "scan.nii").write_bytes(content)
    assert read_volume(tmp_path / "scan.nii").spacing_mm == (1, 1, 1)
    assert capfd.readouterr() == ("", "")


def test_metres_are_refused(tmp_path, refused):
    metres = image(noise(4, 5, 6))
    metres.header.set_xyzt_units("meter")
    nib.save(metres, tmp_path / "scan.nii")
    refused(tmp_path / "scan.nii", errors.GeometryError, "in meter", "expected mm")


@pytest.mark.parametrize("cut", [1, 4, 9, 500], ids="{} bytes short".format)
def test_a_truncated_file_is_refused(cut, tmp_path, refused):
    whole = gzip.compress(image(noise(8, 8, 8)).to_bytes())
    (tmp_path / "scan.nii.gz").write_bytes(whole[:-cut])
    refused(tmp_path / "scan.nii.gz", errors.ReadError, "cut short", "fetch it again")


def test_an_uncompressed_truncated_file_is_refused(tmp_path, refused):
    (tmp_path / "scan.nii").write_bytes(image(noise(8, 8, 8)).to_bytes()[:-1])
    refused(tmp_path / "scan.nii", errors.ReadError, "cut short")


@pytest.mark.parametrize("back", [1, 6, 12, 300, 500], ids="{} bytes from the end".format)
def test_a_flipped_byte_is_refused(back, tmp_path, refused):
    damaged = bytearray(gzip.compress(image(noise(8, 8, 8)).to_bytes()))
    damaged[-back] ^= 255
    (tmp_path / "scan.nii.gz").write_bytes(damaged)
    refused(tmp_path / "scan.nii.gz", errors.ReadError, "damaged")
