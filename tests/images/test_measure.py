"""IoU of maps: description again by loops, and its edges."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hirescam.images.measure import ious
from hirescam.metrics.organ_iou import THRESHOLDS


def drawn(pairs=3, side=12, seed=0):
    random = np.random.default_rng(seed)
    maps = torch.from_numpy(random.normal(size=(pairs, 4, 4)).astype(np.float32))
    masks = random.random((pairs, side, side)) < 0.4
    known = random.random((pairs, side, side)) < 0.8
    return maps, masks, known


def by_loops(values, mask, known, threshold):
    """One map on the masks' own grid."""
    largest = max(float(values.max()), 0.0)
    both = either = 0
    for value, inside, counts in zip(values.ravel(), mask.ravel(), known.ravel(), strict=True):
        marked = largest > 0 and max(float(value), 0.0) / largest > threshold
        both += counts and marked and inside
        either += counts and (marked or inside)
    return both / max(either, 1)


def test_it_is_intersection_over_union_of_known_pixels_above_each_threshold():
    maps, masks, known = drawn()
    found = ious(maps, masks, known)
    upsampled = F.interpolate(maps[:, None], (12, 12), mode="bilinear")[:, 0].numpy()
    for pair in range(3):
        for at in (0, 10, 30, 52):
            expected = by_loops(upsampled[pair], masks[pair], known[pair], THRESHOLDS[at])
            assert found[pair, at] == pytest.approx(expected)


def test_a_map_that_is_its_mask_has_one():
    _, masks, known = drawn()
    assert (ious(torch.from_numpy(masks).float(), masks, known) == 1).all()


def test_a_map_without_positive_values_has_zero():
    maps, masks, known = drawn()
    assert (ious(-maps.abs(), masks, known) == 0).all()


def test_what_lies_on_void_changes_nothing():
    maps, masks, known = drawn()
    other = np.where(known, masks, ~masks)
    np.testing.assert_array_equal(ious(maps, masks, known), ious(maps, other, known))


def test_no_pairs_give_no_rows():
    none = np.zeros((0, 12, 12), bool)
    assert ious(torch.zeros(0, 4, 4), none, none).shape == (0, len(THRESHOLDS))
