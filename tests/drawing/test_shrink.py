"""A thinned grid lies where the whole one lay."""

import numpy as np
import pytest

from hirescam.drawing.shrink import shrink
from make import affine, volume


@pytest.mark.parametrize("most", [10**6, 500, 60, 1])
def test_no_more_voxels_than_asked_for(most):
    scan = volume((12, 17, 16), spacing=(3.0, 1.0, 1.0))
    small, _ = shrink(scan.voxels, scan.affine, most)
    assert 1 <= small.size <= most


def test_the_finest_axes_are_thinned_first():
    scan = volume((12, 16, 16), spacing=(4.0, 1.0, 1.0))
    small, grid = shrink(scan.voxels, scan.affine, 12 * 8 * 8)
    assert small.shape == (12, 8, 8)
    assert np.linalg.norm(grid[:3, :3], axis=0) == pytest.approx([4, 2, 2])


@pytest.mark.parametrize("mean", [True, False])
def test_a_place_keeps_its_coordinates(mean):
    grid = affine(
        spacing=(2.0, 1.0, 1.0), origin=(5.0, 6.0, 7.0), tilt_deg=20, flips=(-1, 1, 1)
    )
    voxels = np.zeros((12, 18, 18), np.int16)
    voxels[4:8, 6:12, 9:15] = 900
    small, moved = shrink(voxels, grid, voxels.size // 18, mean=mean)
    assert small.max() == 900
    was = grid @ [*np.argwhere(voxels).mean(axis=0), 1]
    now = moved @ [*np.argwhere(small > 450).mean(axis=0), 1]
    step = np.linalg.norm(moved[:3, :3], axis=0).max()
    assert np.linalg.norm(was - now) <= (1e-6 if mean else step)


def test_codes_never_mix():
    codes = np.random.default_rng(0).choice(np.array([0, 7], np.uint8), (12, 12, 12))
    small, _ = shrink(codes, affine(), 100, mean=False)
    assert small.dtype == np.uint8
    assert set(np.unique(small)) == {0, 7}
