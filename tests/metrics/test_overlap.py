"""Agreement of two masks."""

from math import isnan

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from hirescam.errors import ShapeError
from hirescam.metrics.localisation import overlap

SPACING_MM = (3.0, 1.0, 2.0)


def ball(centre, radius, shape=(12, 20, 16)):
    places = np.moveaxis(np.indices(shape), 0, -1) * SPACING_MM
    return np.linalg.norm(places - np.array(centre), axis=-1) < radius


def surface_mm(mask):
    """Places of voxels with a face that looks outside, one by one."""
    places = []
    for place in np.argwhere(mask):
        for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1), (2, 1), (2, -1)):
            beside = place.copy()
            beside[axis] += step
            inside = (beside >= 0).all() and (beside < mask.shape).all()
            if inside and not mask[tuple(beside)]:
                places.append(place * SPACING_MM)
                break
    return np.array(places)


def test_distances_are_those_between_all_pairs_of_surface_voxels():
    found, reference = ball((12, 8, 14), 7), ball((18, 10, 16), 8)
    between = cdist(surface_mm(found), surface_mm(reference))
    expected = max(np.percentile(between.min(axis=axis), 95) for axis in (0, 1))
    assert overlap(found, reference, SPACING_MM).hd95_mm == pytest.approx(expected)


def test_a_mask_agrees_with_itself():
    mask = ball((15, 9, 14), 7)
    same = overlap(mask, mask, SPACING_MM)
    assert (same.dice, same.sensitivity, same.precision, same.hd95_mm) == (1, 1, 1, 0)


def test_shares_are_of_the_reference_of_the_mask_and_of_both():
    found, reference = (np.zeros((1, 1, 10), bool) for _ in range(2))
    found[..., :4] = True
    reference[..., 2:8] = True
    agreed = overlap(found, reference, SPACING_MM)
    assert agreed.sensitivity == pytest.approx(2 / 6)
    assert agreed.precision == pytest.approx(2 / 4)
    assert agreed.dice == pytest.approx(4 / 10)


def test_a_shift_is_measured_in_millimetres():
    mask = np.zeros((12, 20, 16), bool)
    mask[3:6, 4:12, 4:10] = True
    assert overlap(mask, np.roll(mask, 2, axis=0), SPACING_MM).hd95_mm == pytest.approx(6.0)


def test_the_border_of_the_scan_is_no_surface():
    found, reference = (np.zeros((6, 10, 10), bool) for _ in range(2))
    found[:, :5], reference[:, :5] = True, True
    found[:, 5, 5] = True
    assert overlap(found, reference, SPACING_MM).hd95_mm <= 1.0


def test_of_nothing_nothing_is_said():
    nothing, something = np.zeros((3, 3, 3), bool), np.ones((3, 3, 3), bool)
    missed = overlap(nothing, something, SPACING_MM)
    assert (missed.dice, missed.sensitivity) == (0, 0)
    assert isnan(missed.precision)
    assert isnan(missed.hd95_mm)
    assert isnan(overlap(nothing, nothing, SPACING_MM).dice)


def test_masks_of_different_grids_are_refused():
    mask = np.ones((4, 3, 2), bool)
    with pytest.raises(ShapeError, match=r"\(4, 3, 2\) voxels cannot be compared"):
        overlap(mask, mask[:1], (1.0, 1.0, 1.0))
