"""Null baselines: maps that know nothing of the network."""

import pytest
import torch

from hirescam.methods import centre_map, control_map
from make_trunks import trunk_and_images


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_random_maps_differ_between_targets_and_seeds_but_not_between_images(dimensions):
    network, x = trunk_and_images(dimensions)
    maps = control_map(network, x)
    assert maps.shape == (2, 3, *x.shape[2:])
    assert maps[0].equal(maps[1])
    assert not maps[:, 0].equal(maps[:, 1])
    assert maps.equal(control_map(network, x))
    assert not maps.equal(control_map(network, x, seed=1))
    assert maps[:, [2]].equal(control_map(network, x, targets=2))


def test_random_maps_know_nothing_of_the_weights():
    one, x = trunk_and_images(seed=0)
    other, _ = trunk_and_images(seed=1)
    assert control_map(one, x).equal(control_map(other, x))


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_the_centre_map_falls_with_the_distance_from_the_centre(dimensions):
    network, x = trunk_and_images(dimensions)
    maps = centre_map(network, x)
    assert maps.shape == (2, 3, *x.shape[2:])
    one = maps[0, 0]
    assert one.flatten()[0] == 0  # a corner
    assert one[(4,) * dimensions] == one.max() < 1
    for axis in range(dimensions):
        torch.testing.assert_close(one, one.flip(axis))
        line = one.movedim(axis, 0)[:4]
        assert (line.diff(dim=0) > 0).all()


def test_the_centre_of_an_odd_grid_is_one():
    network, x = trunk_and_images()
    assert centre_map(network, x[..., :7, :7])[0, 0, 3, 3] == 1


def test_baselines_lie_on_a_layer_too():
    network, x = trunk_and_images()
    for baseline in (control_map, centre_map):
        assert baseline(network, x, layer=network[4]).shape == (2, 3, 4, 4)
