"""rectangular: what a sheared grid holds appears at its own place on one with right angles."""

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from hirescam.ct.grid import degrees_off, is_rectangular, rectangular
from hirescam.ct.volume import Volume
from make import affine, volume
from make_geometries import geometries


def sheared(scan, *, row_per_slice=0.0, column_per_slice=0.0, column_per_row=0.0):
    """The same voxels; each slice or row begins some voxels further than the one before."""
    shear = np.eye(4)
    shear[1, 0], shear[2, 0], shear[2, 1] = row_per_slice, column_per_slice, column_per_row
    return Volume(scan.voxels, scan.affine @ shear)


GRIDS = geometries(shortest=2, longest=6)
SHEARS = st.fixed_dictionaries(
    {
        name: st.floats(-0.6, 0.6)
        for name in ("row_per_slice", "column_per_slice", "column_per_row")
    }
)


@given(grid=GRIDS, shear=SHEARS)
@settings(max_examples=40, deadline=None)
def test_axes_stand_at_right_angles_and_hold_every_old_voxel(grid, shear):
    scan = sheared(volume(**grid), **shear)
    new = rectangular(scan)
    assert is_rectangular(new.affine)
    index = np.linalg.inv(new.affine) @ scan.affine
    for corner in np.ndindex(2, 2, 2):
        place = index @ [*(np.array(corner) * (np.array(scan.shape) - 1)), 1]
        assert (place[:3] > -1e-3).all()
        assert (place[:3] < np.array(new.shape) - 1 + 1e-3).all()


@given(grid=GRIDS, shear=SHEARS)
@settings(max_examples=25, deadline=None)
def test_every_voxel_equals_that_of_itk(grid, shear):
    scan = sheared(volume(**grid, dtype=np.float32), **shear)
    new = rectangular(scan)
    padded = np.pad(scan.voxels, 1, constant_values=-1000)  # ITK's air starts at once
    image = sitk.GetImageFromArray(padded)
    to_index = np.linalg.inv(scan.affine) @ new.affine  # both counted slice, row, column
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(to_index[:3, :3][::-1, ::-1].ravel())
    transform.SetTranslation(to_index[:3, 3][::-1] + 1)
    target = sitk.Image([*new.shape[::-1]], sitk.sitkFloat32)
    expected = sitk.Resample(image, target, transform, sitk.sitkLinear, -1000.0)
    np.testing.assert_allclose(new.voxels, sitk.GetArrayFromImage(expected), atol=0.05)


@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, 1, 1), (1, -1, -1)])
def test_a_tilted_gantry_is_undone_to_the_voxel(flips):
    """A rod along the patient's axis, imaged by slices that each begin a whole row further."""
    rod = np.full((9, 20, 8), -1000, np.int16)
    for index in range(9):
        rod[index, 12 - index, 3] = 500
    scan = sheared(Volume(rod, affine(spacing=(3, 1, 1), flips=flips)), row_per_slice=1.0)
    new = rectangular(scan)
    assert new.shape == (9, 28, 8)
    assert np.array_equal(np.argwhere(new.voxels == 500), [[i, 12, 3] for i in range(9)])
    assert np.count_nonzero(new.voxels != -1000) == 9
    assert new.voxels.dtype == np.int16


def test_the_repair_is_told_with_its_numbers():
    scan = sheared(volume(spacing=(2, 1, 1)), row_per_slice=2 * np.tan(np.radians(15)))
    new = rectangular(Volume(scan.voxels, scan.affine, repairs=("one before",)))
    assert new.repairs[0] == "one before"
    assert "15.00° off right angles" in new.repairs[1]
    assert "from (12, 16, 16) to (12, 22, 16) voxels of 2 × 1 × 1 mm" in new.repairs[1]


def test_right_angles_are_left_alone():
    scan = volume(tilt_deg=20, spacing=(3, 2, 1))
    assert rectangular(scan) is scan
    assert degrees_off(scan.affine) < 1e-6


def test_a_smooth_scan_keeps_its_values_at_their_places():
    plain = affine(spacing=(2, 1, 1), tilt_deg=10)
    scan = sheared(Volume(np.zeros((20, 24, 24), np.float32), plain), row_per_slice=0.37)

    def field(matrix, shape):
        places = nib.affines.apply_affine(matrix, np.moveaxis(np.indices(shape), 0, -1))
        return (places @ [3.0, -5.0, 7.0]).astype(np.float32)  # linear, so exact between voxels

    scan = Volume(field(scan.affine, scan.shape), scan.affine)
    new = rectangular(scan)
    inside = new.voxels != -1000
    inner = inside[:, 9:-9, 1:-1]
    expected = field(new.affine, new.shape)[:, 9:-9, 1:-1]
    assert inner.all()
    np.testing.assert_allclose(new.voxels[:, 9:-9, 1:-1], expected, atol=1e-2)
