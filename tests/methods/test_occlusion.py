"""Occlusion: how far scores fall when blocks or masks are hidden, by loops."""

from itertools import product

import pytest
import torch
from torch.nn import functional as F

from hirescam.errors import ShapeError
from hirescam.methods import hirescam, occlude_masks, occlusion
from make_networks import affine_head_2d, built
from make_trunks import trunk_and_images


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize(("size", "stride"), [(4, 4), (3, 2)])
def test_a_map_is_the_average_fall_over_the_blocks_at_a_place(dimensions, size, stride):
    network, x = trunk_and_images(dimensions)
    total = torch.zeros(2, 3, *x.shape[2:])
    times = torch.zeros(x.shape[2:])
    starts = sorted({*range(0, 8 - size, stride), 8 - size})
    for corner in product(starts, repeat=dimensions):
        block = (..., *[slice(start, start + size) for start in corner])
        hidden = x.clone()
        hidden[block] = 0.5
        fall = (network(x) - network(hidden)).detach()
        total[block] += fall.view(2, 3, *[1] * dimensions)
        times[block] += 1
    found = occlusion(network, x, size=size, stride=stride, fill=0.5)
    torch.testing.assert_close(found, total / times)


def test_blocks_larger_than_the_input_hide_all_of_it():
    network, x = trunk_and_images()
    fall = (network(x) - network(torch.zeros_like(x))).detach()
    torch.testing.assert_close(
        occlusion(network, x, size=100), fall[:, :, None, None].expand(2, 3, 8, 8)
    )


def test_hiding_places_of_a_layer_below_an_affine_head_is_hirescam():
    network, layer, x = built(affine_head_2d)
    torch.testing.assert_close(
        occlusion(network, x, layer=layer, size=1), hirescam(network, x, layer=layer)
    )


def test_how_many_run_together_changes_nothing(monkeypatch):
    network, x = trunk_and_images()
    together = occlusion(network, x, size=2)
    monkeypatch.setattr("hirescam.methods._engine.CHANGED_BYTES", 1)
    torch.testing.assert_close(occlusion(network, x, size=2), together)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_masks_give_the_fall_without_each_of_them(dimensions):
    network, x = trunk_and_images(dimensions)
    random = torch.Generator().manual_seed(0)
    masks = torch.rand(4, *x.shape[2:], generator=random) > 0.5
    masks[3] = False
    expected = torch.stack([network(x) - network(x * ~mask) for mask in masks], dim=-1)
    found = occlude_masks(network, x, masks, targets=[2, 1])
    torch.testing.assert_close(found, expected[:, [2, 1]].detach())
    assert not found[..., 3].any()


def test_the_mean_fill_is_each_channels_own():
    network, x = trunk_and_images()
    everything = torch.ones(1, 8, 8, dtype=torch.bool)
    flat = x.mean((2, 3), keepdim=True).expand_as(x)
    torch.testing.assert_close(
        occlude_masks(network, x, everything, fill="mean")[..., 0],
        (network(x) - network(flat)).detach(),
    )


def test_the_blur_fill_is_an_average_over_a_quarter_of_each_axis():
    network, x = trunk_and_images()
    everything = torch.ones(1, 8, 8, dtype=torch.bool)
    blurred = F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
    torch.testing.assert_close(
        occlude_masks(network, x, everything, fill="blur")[..., 0],
        (network(x) - network(blurred)).detach(),
    )


def test_masks_on_another_grid_are_refused():
    network, x = trunk_and_images()
    with pytest.raises(ShapeError, match=r"space \(4, 4\).*has \(8, 8\)"):
        occlude_masks(network, x, torch.ones(1, 4, 4, dtype=torch.bool))


@pytest.mark.parametrize("blocks", [{"size": 0}, {"stride": -1}, {"size": (2, 2, 2)}])
def test_blocks_that_do_not_suit_the_input_are_refused(blocks):
    network, x = trunk_and_images()
    with pytest.raises(ShapeError, match=r"do not suit a space of \(8, 8\)"):
        occlusion(network, x, **blocks)
