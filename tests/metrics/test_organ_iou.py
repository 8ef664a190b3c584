"""OrganIoU: the definition, the published code's defect, and the thresholds."""

import numpy as np
import pytest

from hirescam.metrics.organ_iou import THRESHOLDS, best_thresholds, organ_ious, scaled


@pytest.fixture
def random():
    return np.random.default_rng(3)


def slow(maps, allowed, definition):
    """Cell by cell, as FACTS 8.2 and the published code say it."""
    values = np.zeros((len(maps), len(THRESHOLDS)))
    for label, raw in enumerate(maps):
        positive = np.maximum(raw, 0)
        shifted = positive - positive.min()
        unit = shifted / shifted.max() if shifted.max() > 0 else shifted
        for column, threshold in enumerate(THRESHOLDS):
            inside = sum(v > threshold for v in unit[allowed[label]])
            outside = sum(v > threshold for v in unit[~allowed[label]])
            if definition == "published":
                fine = inside > 0 and outside > 0
                values[label, column] = inside / (inside + outside) if fine else 0
            elif inside + outside:
                values[label, column] = inside / (inside + outside)
    return values


@pytest.mark.parametrize("definition", ["paper", "published"])
def test_it_equals_counting_cell_by_cell(random, definition):
    maps = random.normal(size=(6, 3, 4, 4))
    maps[1] = np.round(maps[1])  # ties at thresholds
    maps[2] = -np.abs(maps[2])  # no positive evidence
    allowed = random.random(maps.shape) > 0.5
    allowed[3], allowed[4] = True, False
    ours = organ_ious(maps, allowed, definition=definition)
    np.testing.assert_array_equal(ours, slow(maps, allowed, definition))


def test_all_attention_where_it_is_allowed_is_one_by_the_definition_and_zero_in_the_code():
    maps = np.zeros((1, 1, 2, 2))
    maps[0, 0, 0, 0] = 5.0
    allowed = maps > 0
    assert (organ_ious(maps, allowed) == 1).all()
    assert (organ_ious(maps, allowed, definition="published") == 0).all()


def test_all_attention_where_it_is_forbidden_is_zero():
    maps = np.zeros((1, 1, 2, 2))
    maps[0, 0, 0, 0] = 5.0
    assert (organ_ious(maps, maps == 0) == 0).all()


def test_a_map_without_positive_evidence_counts_as_zero(random):
    maps = -random.random((1, 2, 3, 3))
    assert (organ_ious(maps, np.ones(maps.shape, bool)) == 0).all()


def test_there_are_53_thresholds_from_0_004_to_0_98():
    assert len(THRESHOLDS) == 53
    assert THRESHOLDS[[0, 3, 4, -1]].round(6).tolist() == [0.004, 0.016, 0.02, 0.98]
    assert (np.diff(THRESHOLDS) > 0).all()


def test_scaled_maps_of_a_positive_map_reach_from_zero_to_one(random):
    maps = scaled(1 + random.random((2, 2, 3, 3)))
    assert maps.min() == 0
    assert maps.max() == 1


def test_the_best_threshold_has_the_highest_mean_over_the_scans_that_have_the_label():
    values = np.full((3, 3, 4), np.nan)
    values[0, 0] = [0.1, 0.5, 0.2, 0.5]
    values[1, 0] = [0.9, 0.6, 0.2, 0.6]
    values[2, 1] = [0.0, 0.0, 0.3, 0.3]
    np.testing.assert_array_equal(best_thresholds(values), [1, 2, np.nan])


@pytest.mark.parametrize("definition", ["paper", "published"])
def test_a_map_that_holds_nan_has_no_iou(definition):
    maps = np.ones((2, 2, 2, 2))
    maps[1, 0, 0, 0] = np.nan
    found = organ_ious(maps, np.ones(maps.shape, bool), definition=definition)
    assert not np.isnan(found[0]).any()
    assert np.isnan(found[1]).all()
