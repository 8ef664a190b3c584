"""DeLong's interval and test, against pairs counted one by one and against the bootstrap."""

import itertools

import numpy as np
import pytest
from scipy.stats import norm

from hirescam.metrics.classification import (
    _covariance,
    auroc,
    auroc_difference,
    auroc_interval,
    bootstrap,
    score_interval,
)


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


@pytest.mark.parametrize(("each", "below"), [(2, 0.5), (5, 0.75), (50, 0.98)])
def test_a_perfect_score_has_an_interval_that_narrows_with_more_scans(each, below):
    present = np.repeat([False, True], each)
    scores = np.arange(2.0 * each)
    found, worst = auroc_interval(present, scores), auroc_interval(present, -scores)
    assert (found.value, found.high) == (1, 1)
    assert 0 < found.low < below
    assert (worst.low, worst.high) == pytest.approx((0, 1 - found.low))


def test_a_score_that_says_nothing_has_an_interval_around_a_half():
    found = auroc_interval(np.repeat([False, True], 6), np.zeros(12))
    assert found.value == 0.5
    assert found.low < 0.3
    assert found.high > 0.7


@pytest.mark.parametrize("truth", [0.76, 0.98, 0.995])
@pytest.mark.parametrize("counts", [(3, 10), (10, 10), (5, 50)])
def test_intervals_of_few_scans_hold_the_truth_as_often_as_they_say(random, truth, counts):
    effect = np.sqrt(2) * norm.ppf(truth)
    present = np.repeat([True, False], counts)
    inside = 0
    for _ in range(150):
        found = auroc_interval(present, random.normal(size=sum(counts)) + effect * present)
        inside += found.low <= truth <= found.high
    assert inside / 150 > 0.9


def test_score_interval_of_a_known_case():
    # the end of an interval solves Newcombe's equation
    low, high = score_interval(1.0, 10, 10)
    z, half = norm.ppf(0.975), 9
    variance = (
        low * (1 - low) * (1 + half * (1 - low) / (2 - low) + half * low / (1 + low)) / 100
    )
    assert (1 - low) ** 2 == pytest.approx(z**2 * variance)
    assert high == 1


def test_a_p_value_of_few_scans_is_what_chance_would_do():
    present = np.array([False, False, True, True])
    scores = np.arange(4.0)
    difference, p = auroc_difference(present, scores, -scores)
    ways = [
        abs(
            auroc(present, np.where(swap, 3 - scores, scores))
            - auroc(present, np.where(swap, scores, 3 - scores))
        )
        for swap in itertools.product((False, True), repeat=4)
    ]
    assert difference == 1
    assert p == pytest.approx(np.mean(np.array(ways) >= 1))
    assert p >= 2 / 16


def test_p_values_of_equally_good_scores_of_few_scans_are_no_smaller_than_chance(random):
    present = np.repeat([True, False], (8, 12))
    values = [
        auroc_difference(present, *(random.normal(size=20) + 2 * present for _ in range(2)))[1]
        for _ in range(60)
    ]
    assert np.mean(np.array(values) < 0.05) < 0.12
    assert min(values) > 0


def test_a_bootstrap_of_one_value_tells_no_spread():
    found = bootstrap(lambda scans: 1.0, 20, draws=50)
    assert found.value == 1
    assert np.isnan([found.low, found.high]).all()


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
