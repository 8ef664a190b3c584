"""Distances of shapes and tubes agree with what they are on paper."""

import numpy as np
import pytest

from hirescam.simulation.painting import blank, mask, paint, trace, voxel_grid
from hirescam.simulation.shapes import ball, cloud, common, ellipsoid, grown, union, without
from hirescam.simulation.tubes import solid, tree, tube
from make import affine


def grid(spacing=(1.0, 1.0, 1.0), shape=(40, 40, 40)):
    origin = [gap * (count - 1) / 2 for gap, count in zip(spacing, shape, strict=True)]
    return voxel_grid(affine(spacing=spacing, origin=origin[::-1]), shape)


def test_a_grid_and_scattered_points_give_the_same_distances():
    voxels = grid()
    z, y, x = np.broadcast_arrays(voxels.z, voxels.y, voxels.x)
    scattered = cloud(np.stack([x.ravel(), y.ravel(), z.ravel()], axis=1))
    shape = without(
        union(ball((0, 0, 0), 9), ball((8, 0, 0), 6), blend_mm=4), ball((0, 5, 0), 4)
    )
    here, there = (shape.distance(points).ravel() < 0 for points in (voxels, scattered))
    np.testing.assert_array_equal(here, there)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.5, 1.5, 1.5)])
def test_a_painted_ball_holds_its_volume(spacing):
    canvas = blank(grid(spacing), 0.0)
    paint(canvas, ball((1.2, -0.7, 0.4), 9.0), 100.0)
    assert canvas.hu.sum() / 100 * np.prod(spacing) == pytest.approx(
        4 / 3 * np.pi * 9**3, rel=0.03
    )


def test_distances_to_an_ellipsoid_are_millimetres_at_its_surface():
    shape = ellipsoid((0, 0, 0), (20, 10, 5))
    off = cloud(np.array([(21, 0, 0), (0, 11, 0), (0, 0, 6), (0, 0, 4)], float))
    np.testing.assert_allclose(shape.distance(off), [1, 1, 1, -1], atol=0.25)


def test_sets_of_shapes_are_sets():
    one, other = ball((0, 0, 0), 8), ball((6, 0, 0), 8)
    voxels = grid()
    a, b = mask(voxels, one), mask(voxels, other)
    np.testing.assert_array_equal(mask(voxels, union(one, other)), a | b)
    np.testing.assert_array_equal(mask(voxels, common(one, other)), a & b)
    np.testing.assert_array_equal(mask(voxels, without(one, other)), a & ~b)
    assert (mask(voxels, grown(one, 2)) >= a).all()


def test_a_thin_tube_keeps_its_mass_and_a_visible_one_its_voxels():
    line = tube(np.array([(0.3, 0.2, -50.0), (0.3, 0.2, 50.0)]), 0.8)
    voxels = grid((3.0, 3.0, 3.0))
    canvas = blank(voxels, 0.0)
    trace(canvas, line, 100.0, ball((0, 0, 0), 50))
    area_mm2 = canvas.hu[20].sum() / 100 * 9
    assert area_mm2 == pytest.approx(np.pi * 0.8**2, rel=0.6)
    assert not mask(voxels, grown(solid(line), -0.5)).any()
    assert mask(voxels, solid(line, visible=True)).any(axis=(1, 2))[5:-5].all()


def test_a_tree_reaches_every_target_and_thins_outwards():
    random = np.random.default_rng(0)
    targets = random.uniform(-50, 50, (60, 3))
    branches = tree(np.zeros(3), targets, 0.8)
    assert {tuple(place) for place in branches.end} == {tuple(place) for place in targets}
    assert (branches.end_radius <= branches.start_radius + 1e-9).all()
    assert branches.end_radius.min() == pytest.approx(0.8)
