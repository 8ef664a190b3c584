"""Real scans: the same chest in three formats is one volume, and ITK agrees on every voxel."""

import numpy as np
import pytest
import SimpleITK as sitk

from hirescam.ct.reading import read_volume
from hirescam.ct.volume import reorient
from make import shared_data


def same_place(one, other, *, within_mm):
    a, b = reorient(one), reorient(other)
    assert np.array_equal(a.voxels, b.voxels)
    corners = np.array([[i, j, k, 1] for i in (0, 1) for j in (0, 1) for k in (0, 1)], float)
    corners[:, :3] *= np.array(a.shape) - 1
    np.testing.assert_allclose(a.affine @ corners.T, b.affine @ corners.T, atol=within_mm)


@pytest.mark.parametrize("other", ["ct.nrrd", "dicom"])
def test_cip64_is_the_same_chest_in_every_format(other):
    nifti, other = shared_data("ct/cip64/ct.nii.gz"), shared_data("ct/cip64", other)
    same_place(read_volume(nifti), read_volume(other), within_mm=1e-3)


def test_ibsi_is_the_same_tumour_in_dicom_and_nifti():
    nifti = read_volume(shared_data("ct/ibsi/nifti/image/phantom.nii.gz"))
    dicom = read_volume(shared_data("ct/ibsi/dicom/image"))
    same_place(nifti, dicom, within_mm=1e-3)


@pytest.mark.parametrize("folder", ["fuzun", "cip64/dicom", "abdomen/dicom"])
def test_itk_reads_the_same_voxels_at_the_same_places(folder):
    path = shared_data("ct", folder)
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(path))
    image = sitk.ReadImage(names)
    scan = read_volume(path)
    assert np.array_equal(scan.voxels, sitk.GetArrayViewFromImage(image))
    for index in ((0, 0, 0), tuple(n - 1 for n in scan.shape), (3, 20, 7)):
        left, back, head = image.TransformIndexToPhysicalPoint([int(i) for i in index[::-1]])
        place = scan.affine @ [*index, 1]
        np.testing.assert_allclose(place[:3], [-left, -back, head], atol=0.01)


def test_slice_spacing_comes_from_positions_and_not_from_slice_thickness():
    fuzun = read_volume(shared_data("ct/fuzun"))
    assert fuzun.shape == (64, 512, 512)
    np.testing.assert_allclose(fuzun.spacing_mm, (1.0, 0.759765625, 0.759765625), atol=1e-6)


def test_two_slices_are_a_volume():
    assert read_volume(shared_data("ct/lidc_two_slices")).shape == (2, 512, 512)


@pytest.mark.parametrize("name", ["id001_ct.nii.gz", "id002_ct.nii.gz"])
def test_axes_to_the_left_front_and_head_are_turned(name):
    scan = read_volume(shared_data("ct/imlab", name))
    assert (scan.shape, scan.orientation) == ((64, 128, 128), "SAL")
    assert reorient(scan).orientation == "IPL"
