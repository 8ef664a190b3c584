"""Calibration of probabilities that are right, and of ones that are too sure."""

import numpy as np
import pytest

from hirescam.metrics.classification import brier, reliability


@pytest.fixture
def random():
    return np.random.default_rng(2)


def test_probabilities_that_are_right_have_almost_no_error(random):
    said = random.random(20_000)
    assert reliability(random.random(20_000) < said, said).error < 0.02


def test_probabilities_that_are_too_sure_have_their_excess_as_error(random):
    truth = np.full(20_000, 0.7)
    said = np.full(20_000, 0.95)
    assert reliability(random.random(20_000) < truth, said).error == pytest.approx(
        0.25, abs=0.02
    )


def test_bins_hold_every_scan_also_at_zero_and_one():
    found = reliability(np.array([False, True, True]), np.array([0.0, 1.0, 0.55]))
    assert found.counts.sum() == 3
    assert found.counts[[0, 5, 9]].tolist() == [1, 1, 1]
    assert np.isnan(found.said[1])


def test_brier_is_the_mean_squared_distance():
    assert brier(np.array([True, False]), np.array([0.8, 0.4])) == pytest.approx(0.1)


def test_no_scans_have_no_calibration():
    none = np.array([], bool), np.array([], float)
    assert np.isnan(reliability(*none).error)
    assert np.isnan(brier(*none))
