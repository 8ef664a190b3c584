"""Real series: voxel for voxel, and place for place, what SimpleITK and dcm2niix read."""

import shutil
import subprocess

import numpy as np
import pytest
import SimpleITK as sitk

from hirescam.ct.reading import read_volume
from hirescam.ct.volume import reorient
from make import shared_data
from make_dicom import zipped

SERIES = ["fuzun", "cip64/dicom", "abdomen/dicom", "ibsi/dicom/image"]


@pytest.mark.parametrize("name", SERIES)
def test_simpleitk_reads_the_same(name):
    path = shared_data("ct", name)
    image = sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(path)))
    scan = read_volume(path)
    assert np.array_equal(scan.voxels, sitk.GetArrayViewFromImage(image))
    for index in ((0, 0, 0), tuple(n - 1 for n in scan.shape), (3, 20, 7)):
        left, back, head = image.TransformIndexToPhysicalPoint([int(i) for i in index[::-1]])
        place = scan.affine @ [*index, 1]
        np.testing.assert_allclose(place[:3], [-left, -back, head], atol=0.01)


@pytest.mark.skipif(not shutil.which("dcm2niix"), reason="dcm2niix is not installed")
@pytest.mark.parametrize("name", SERIES)
def test_dcm2niix_reads_the_same(name, tmp_path):
    path = shared_data("ct", name)
    command = ["dcm2niix", "-z", "n", "-b", "n", "-f", "scan", "-o", str(tmp_path), str(path)]
    subprocess.run(command, check=True, capture_output=True)
    (converted,) = tmp_path.glob("*.nii")
    scan, other = (reorient(read_volume(it), "SPR") for it in (path, converted))
    assert np.array_equal(scan.voxels, other.voxels)
    for index in ((0, 0, 0), tuple(n - 1 for n in scan.shape)):
        place, elsewhere = scan.affine @ [*index, 1], other.affine @ [*index, 1]
        np.testing.assert_allclose(place, elsewhere, atol=0.03)  # positions have 3 decimals


def test_a_zip_of_a_real_series_is_the_same_scan(tmp_path):
    folder = shared_data("ct", "cip64/dicom")
    shutil.copytree(folder, tmp_path / "scan")
    read, packed = read_volume(folder), read_volume(zipped(tmp_path / "scan"))
    assert np.array_equal(read.voxels, packed.voxels)
    assert np.array_equal(read.affine, packed.affine)


def test_a_folder_above_finds_the_scan_beside_structures_drawn_on_it():
    scan = read_volume(shared_data("ct", "ibsi/dicom"))
    assert np.array_equal(scan.voxels, read_volume(shared_data("ct/ibsi/dicom/image")).voxels)
