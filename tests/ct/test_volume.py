"""Volume: an affine says where voxels lie, and turning moves none of them."""

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hirescam import errors
from hirescam.ct.volume import Volume, reorient
from make import affine, volume
from make_geometries import geometries

ORIENTATIONS = [
    "".join(ends)
    for axes in permutations(("LR", "AP", "IS"))
    for ends in product(*axes)
]  # fmt: skip


@given(grid=geometries(), orientation=st.sampled_from(ORIENTATIONS))
def test_turning_leaves_every_voxel_in_its_place(grid, orientation):
    scan = volume(**grid)
    turned = reorient(scan, orientation)
    assert turned.orientation == orientation
    back = np.linalg.inv(turned.affine) @ scan.affine
    for index in np.ndindex(scan.shape):
        place = np.rint(back @ [*index, 1])[:3].astype(int)
        assert turned.voxels[tuple(place)] == scan.voxels[index]
    np.testing.assert_allclose(back, np.rint(back), atol=1e-9)


@given(grid=geometries(), first=st.sampled_from(ORIENTATIONS))
def test_turning_there_and_back_changes_nothing(grid, first):
    scan = volume(**grid)
    back = reorient(reorient(scan, first), scan.orientation)
    assert np.array_equal(back.voxels, scan.voxels)
    np.testing.assert_allclose(back.affine, scan.affine, atol=1e-9)


@given(grid=geometries(), index=st.tuples(*[st.floats(-10, 10)] * 3))
def test_from_index_to_patient_and_back(grid, index):
    scan = volume(**grid)
    place = scan.affine @ [*index, 1]
    np.testing.assert_allclose(np.linalg.inv(scan.affine) @ place, [*index, 1], atol=1e-6)


def test_spacing_and_orientation_are_read_off_an_oblique_affine():
    scan = volume(spacing=(3, 2, 1), tilt_deg=30, flips=(-1, 1, 1))
    np.testing.assert_allclose(scan.spacing_mm, (3, 2, 1))
    assert scan.orientation == "SPL"


def test_reorienting_shares_the_voxels_instead_of_copying():
    scan = volume()
    assert np.shares_memory(reorient(scan, "SAR").voxels, scan.voxels)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float64, bool])
def test_other_types_than_int16_and_float32_are_refused(dtype):
    with pytest.raises(errors.VoxelError, match=r"expected int16 or float32"):
        Volume(np.zeros((2, 2, 2), dtype), affine())


def test_an_affine_that_places_nothing_is_refused():
    perspective = affine()
    perspective[3] = [1, 0, 0, 2]
    for bad in (np.zeros((4, 4)), np.full((4, 4), np.nan), perspective):
        with pytest.raises(errors.GeometryError, match="does not place voxels"):
            Volume(np.zeros((2, 2, 2), np.int16), bad)


def test_a_scan_without_a_voxel_is_refused():
    with pytest.raises(errors.VoxelError, match="give at least one slice"):
        Volume(np.zeros((0, 2, 2), np.int16), affine())
