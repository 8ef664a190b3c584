"""Through each format and back: every voxel keeps its value and its place, on any grid."""

import json

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hirescam import errors
from hirescam.ct.reading import read_volume
from hirescam.ct.volume import Volume
from make import affine, shared_data, volume
from make_geometries import geometries

quick = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def by_nifti(scan, path):
    return scan.to_nifti(path)


def by_nibabel(scan, path):
    nib.save(nib.Nifti1Image(scan.voxels.T, scan.affine[:, [2, 1, 0, 3]]), path)
    return path


def by_itk(scan, path):
    lps = np.diag([-1, -1, 1, 1]) @ scan.affine
    image = sitk.GetImageFromArray(scan.voxels)
    image.SetSpacing(scan.spacing_mm[::-1])
    image.SetOrigin(lps[:3, 3])
    image.SetDirection((lps[:3, :3] / scan.spacing_mm)[:, ::-1].ravel())
    sitk.WriteImage(image, path, useCompression=True)
    return path


def by_numpy(scan, path):
    if path.suffix == ".npy":
        np.save(path, scan.voxels)
    else:
        np.savez_compressed(path, ct=scan.voxels)
    path.with_suffix(".json").write_text(json.dumps({"affine": scan.affine.tolist()}))
    return path


WRITERS = {
    ".nii": by_nifti,
    ".nii.gz": by_nifti,
    " by nibabel.nii.gz": by_nibabel,
    ".nrrd": by_itk,
    ".nhdr": by_itk,
    ".mha": by_itk,
    ".mhd": by_itk,
    ".npy": by_numpy,
    ".npz": by_numpy,
}


@pytest.mark.parametrize("name", WRITERS)
@given(grid=geometries(shortest=2), index=st.tuples(*[st.floats(-10, 10)] * 3))
@quick
def test_index_to_patient_and_back_through_the_file(name, grid, index, tmp_path):
    scan = volume(**grid)
    read = read_volume(WRITERS[name](scan, tmp_path / f"scan{name}"))
    assert np.array_equal(read.voxels, scan.voxels)
    place_mm = scan.affine @ [*index, 1]
    back = np.linalg.inv(read.affine) @ place_mm
    np.testing.assert_allclose(back, [*index, 1], atol=2e-3)  # NIfTI stores 24 bits
    np.testing.assert_allclose(read.affine @ [*index, 1], place_mm, atol=1e-3)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_fractions_survive_and_padding_too(suffix, tmp_path):
    voxels = np.linspace(-3024, 3071.5, 120, dtype=np.float32).reshape(4, 5, 6)
    read = read_volume(Volume(voxels, affine()).to_nifti(tmp_path / f"scan{suffix}"))
    assert np.array_equal(read.voxels, voxels)


def test_a_scan_opens_elsewhere_with_the_same_values_at_the_same_places(tmp_path):
    scan = volume(spacing=(3, 2, 1), tilt_deg=20, origin=(7, 8, 9))
    path = scan.to_nifti(tmp_path / "scan.nii.gz")
    image = sitk.ReadImage(path)
    assert np.array_equal(sitk.GetArrayViewFromImage(image), scan.voxels)
    left, back, head = image.TransformIndexToPhysicalPoint((5, 4, 3))
    np.testing.assert_allclose(scan.affine @ [3, 4, 5, 1], [-left, -back, head, 1], atol=1e-3)
    assert nib.load(path).header["descrip"] == b"hirescam scan, HU"


def test_a_sheared_scan_is_written_so_that_it_is_refused_again(tmp_path):
    sheared = affine()
    sheared[1, 0] = 0.3
    path = Volume(np.zeros((4, 5, 6), np.int16), sheared).to_nifti(tmp_path / "scan.nii")
    with pytest.raises(errors.GeometryError, match=r"16\.70° off right angles"):
        read_volume(path)
    assert read_volume(path, on_bad_geometry="repair").repairs


REAL = [
    "cip64/ct.nii.gz", "imlab/id001_ct.nii.gz", "imlab/id002_ct.nii.gz", "ts_aorta/ct.nii.gz",
    "elastix/ct.nii.gz", "ibsi/nifti/image/phantom.nii.gz", "abdomen/example_ct.nii.gz",
]  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_nibabel_and_itk_read_the_same_voxels_at_the_same_places(name):
    path = shared_data("ct", name)
    scan, by_nib, by_sitk = read_volume(path), nib.load(path), sitk.ReadImage(path)
    assert np.array_equal(scan.voxels, np.asarray(by_nib.dataobj).T)
    assert np.array_equal(scan.voxels, sitk.GetArrayViewFromImage(by_sitk))
    np.testing.assert_allclose(scan.affine, by_nib.affine[:, [2, 1, 0, 3]], atol=1e-6)
    for index in ((0, 0, 0), tuple(n - 1 for n in scan.shape)):
        left, back, head = by_sitk.TransformIndexToPhysicalPoint([int(i) for i in index[::-1]])
        np.testing.assert_allclose(
            scan.affine @ [*index, 1], [-left, -back, head, 1], atol=0.01
        )
