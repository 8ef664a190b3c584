"""respace: the same box with other spacings, and air beyond it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hirescam.ct.grid import respace
from hirescam.ct.volume import Volume
from make import volume
from make_geometries import geometries

SPACINGS = st.tuples(*[st.floats(0.4, 4)] * 3)


@given(grid=geometries(shortest=4, longest=9), spacing_mm=SPACINGS)
@settings(max_examples=30, deadline=None)
def test_the_centre_stays_and_the_spacing_is_the_one_asked_for(grid, spacing_mm):
    scan = volume(**grid)
    new = respace(scan, spacing_mm)
    np.testing.assert_allclose(new.spacing_mm, spacing_mm)

    def centre(it):
        return it.affine @ [*((np.array(it.shape) - 1) / 2), 1]

    np.testing.assert_allclose(centre(new), centre(scan), atol=1e-6)
    reach = np.array(new.shape) * spacing_mm - np.array(scan.shape) * scan.spacing_mm
    assert (np.abs(reach) <= np.maximum(spacing_mm, scan.spacing_mm)).all()


@pytest.mark.parametrize("interpolation", ["linear", "bspline"])
def test_the_same_spacing_changes_nothing(interpolation):
    scan = volume(spacing=(3, 2, 1), tilt_deg=10)
    new = respace(scan, (3.0, 2.0, 1.0), interpolation=interpolation)
    assert np.array_equal(new.voxels, scan.voxels)
    np.testing.assert_allclose(new.affine, scan.affine, atol=1e-9)
    assert new.voxels.dtype == np.int16


def test_a_field_is_the_same_at_the_same_places():
    grid = volume((20, 20, 20), spacing=(3, 2, 1), tilt_deg=10, dtype=np.float32)

    def field(it):
        places = it.affine[:3, :3] @ np.indices(it.shape).reshape(3, -1) + it.affine[:3, 3:]
        return (np.array([3.0, -5.0, 7.0]) @ places).reshape(it.shape).astype(np.float32)

    new = respace(Volume(field(grid), grid.affine), (1.7, 1.3, 0.6))
    inner = (slice(2, -2),) * 3
    np.testing.assert_allclose(new.voxels[inner], field(new)[inner], atol=1e-2)


def test_beyond_the_scan_there_is_air():
    tissue = Volume(np.full((2, 9, 9), 40, np.int16), volume((2, 9, 9)).affine)
    new = respace(tissue, (0.5, 1.0, 1.0))
    assert (new.voxels[1:-1] == 40).all()
    assert (new.voxels[[0, -1]] < 40).all()
