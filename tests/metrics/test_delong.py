"""DeLong's interval and test, against pairs counted one by one and against the bootstrap."""

import numpy as np
import pytest

from hirescam.metrics.auroc import auroc
from hirescam.metrics.bootstrap import bootstrap
from hirescam.metrics.delong import _covariance, auroc_difference, auroc_interval


@pytest.fixture
def random():
    return np.random.default_rng(11)


def study(random, scans=120, effect=1.0):
    present = random.random(scans) < 0.3
    scores = random.normal(size=scans) + effect * present
    return present, scores


def test_the_value_is_the_auroc_also_with_ties(random):
    present, scores = study(random)
    for given in (scores, np.round(scores)):
        assert auroc_interval(present, given).value == pytest.approx(auroc(present, given))


def test_the_variance_equals_placements_counted_one_by_one(random):
    present, scores = study(random, scans=40)
    scores = np.round(scores, 1)
    positive, negative = scores[present], scores[~present]
    wins = np.array([[(p > n) + 0.5 * (p == n) for n in negative] for p in positive])
    variance = wins.mean(axis=1).var(ddof=1) / len(positive)
    variance += wins.mean(axis=0).var(ddof=1) / len(negative)
    assert _covariance(present, scores[None])[1][0, 0] == pytest.approx(variance)


def test_the_interval_agrees_with_the_bootstrap(random):
    present, scores = study(random, scans=400)
    delong = auroc_interval(present, scores)
    drawn = bootstrap(
        lambda scans: auroc(present[scans], scores[scans]), len(present), draws=300
    )
    assert delong.low == pytest.approx(drawn.low, abs=0.025)
    assert delong.high == pytest.approx(drawn.high, abs=0.025)


def test_about_95_of_100_intervals_hold_the_truth(random):
    truth = 0.760250  # of two normal distributions one standard deviation apart
    inside = 0
    for _ in range(120):
        found = auroc_interval(*study(random))
        inside += found.low <= truth <= found.high
    assert 0.89 < inside / 120 < 1.0


def test_a_perfect_score_has_no_spread_and_stays_within_one():
    present = np.array([False] * 5 + [True] * 5)
    found = auroc_interval(present, np.arange(10.0))
    assert (found.low, found.value, found.high) == (1, 1, 1)


def test_one_class_alone_is_undefined(random):
    found = auroc_interval(np.ones(5, bool), random.normal(size=5))
    assert np.isnan([found.value, found.low, found.high]).all()


def test_of_a_single_scan_with_the_label_the_auroc_is_known_and_its_spread_is_not():
    found = auroc_interval(np.array([True, False, False]), np.array([0.5, 0.1, 0.9]))
    assert found.value == 0.5
    assert np.isnan([found.low, found.high]).all()


def test_p_values_of_equally_good_scores_are_uniform(random):
    values = []
    for _ in range(120):
        present, one = study(random)
        other = random.normal(size=len(one)) + present
        values.append(auroc_difference(present, one, other)[1])
    assert np.mean(np.array(values) < 0.05) < 0.11
    assert 0.4 < np.mean(values) < 0.6


def test_a_better_score_is_found_to_be_better(random):
    present, one = study(random, scans=300, effect=2.0)
    difference, p = auroc_difference(present, one, random.normal(size=len(one)))
    assert difference > 0.3
    assert p < 1e-6


def test_a_score_does_not_differ_from_itself(random):
    present, one = study(random)
    assert auroc_difference(present, one, one) == (0, 1)


def test_truth_may_be_ones_and_zeros(random):
    present, scores = study(random, scans=60)
    counted = present.astype(int)
    assert auroc(counted, scores) == auroc(present, scores)
    assert auroc_interval(counted, scores) == auroc_interval(present, scores)
    assert auroc_difference(counted, scores, -scores) == auroc_difference(
        present, scores, -scores
    )
