"""Classification: AUROC and its intervals, calibration, bootstrap."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Integer
from scipy.optimize import brentq
from scipy.stats import norm, rankdata

Truth = Bool[np.ndarray, "scan"] | Integer[np.ndarray, "scan"]
"""Whether each scan has a label: true or false, or 1 or 0."""


def auroc(present: Truth, scores: Float[np.ndarray, "scan"]) -> float:
    """Area under the ROC curve; ties count half; NaN where one of the classes is empty."""
    present = present.astype(bool)  # ~ would turn every bit of a whole number
    positive, negative = int(present.sum()), int((~present).sum())
    if not positive or not negative:
        return float("nan")
    ranks = rankdata(scores)[present].sum()
    return float((ranks - positive * (positive + 1) / 2) / (positive * negative))


ENUMERATED = 12
"""So many scans can be swapped in every way; of more, `DRAWS` ways are drawn."""
DRAWS = 9999
_EDGE = 1e-9


def score_interval(
    value: float, positive: int, negative: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Where an AUROC lies that was found to be `value` on so many scans of each class.

    Newcombe, Statistics in Medicine 25, 2006, part 2, method 5: the AUROCs θ with
    (θ − value)² ≤ z² V(θ), V after Hanley and McNeil with equal class sizes in its numerator.
    """
    z = norm.ppf((1 + confidence) / 2)
    half = (positive + negative) / 2 - 1

    def beyond(theta: float) -> float:
        spread = 1 + half * (1 - theta) / (2 - theta) + half * theta / (1 + theta)
        variance = theta * (1 - theta) * spread / (positive * negative)
        return (theta - value) ** 2 - z**2 * variance

    inner = min(max(value, _EDGE), 1 - _EDGE)
    low = 0.0 if value <= _EDGE else brentq(beyond, _EDGE * 1e-3, inner)
    high = 1.0 if value >= 1 - _EDGE else brentq(beyond, inner, 1 - _EDGE * 1e-3)
    return float(low), float(high)


def swap_test(
    present: Bool[np.ndarray, "scan"],
    one: Float[np.ndarray, "scan"],
    other: Float[np.ndarray, "scan"],
    *,
    seed: int = 0,
) -> float:
    """Two-sided p value of a difference of two AUROCs on the same scans, never 0.

    Each scan's ranks by either score are swapped or not: every way where there are few scans,
    else `DRAWS` random ways. Bandos, Rockette and Gur, Statistics in Medicine 24, 2005.
    """
    ranks = np.stack([rankdata(one), rankdata(other)])
    scans = len(present)
    found = abs(_differences(present, ranks, np.zeros((1, scans), bool))[0])
    if scans <= ENUMERATED:
        swapped = (np.arange(2**scans)[:, None] >> np.arange(scans)) & 1 == 1
        return float(np.mean(np.abs(_differences(present, ranks, swapped)) >= found - 1e-12))
    swapped = np.random.default_rng(seed).random((DRAWS, scans)) < 0.5
    as_far = np.abs(_differences(present, ranks, swapped)) >= found - 1e-12
    return float((1 + as_far.sum()) / (1 + DRAWS))


def _differences(
    present: Bool[np.ndarray, "scan"],
    ranks: Float[np.ndarray, "2 scan"],
    swapped: Bool[np.ndarray, "way scan"],
) -> Float[np.ndarray, "way"]:
    """AUROC of the first score less that of the second, after each way of swapping."""
    pairs = int(present.sum()) * int((~present).sum())
    first, second = (
        rankdata(np.where(swapped, ranks[1 - row], ranks[row]), axis=1)[:, present].sum(axis=1)
        for row in range(2)
    )
    return (first - second) / pairs


FEW = 20
"""Scans of a class: below that, DeLong's normal approximation is not relied on."""


@dataclass(frozen=True)
class Interval:
    """An estimate, and where it lies with the confidence that was asked for."""

    value: float
    low: float
    high: float


def auroc_interval(
    present: Truth,
    scores: Float[np.ndarray, "scan"],
    confidence: float = 0.95,
) -> Interval:
    """AUROC and its interval: DeLong's on the logit scale, or where wider the score interval.

    So a score without an error has an interval too, the wider the fewer scans there are. NaN
    where there is no scan of one class; bounds are NaN where there is one: no spread can be
    told from that.
    """
    present = present.astype(bool)
    if min(present.sum(), (~present).sum()) < 2:
        return Interval(auroc(present, scores), np.nan, np.nan)
    (value,), covariance = _covariance(present, scores[None])
    spread = float(np.sqrt(covariance[0, 0]))
    counts = int(present.sum()), int((~present).sum())
    score_low, score_high = score_interval(float(value), *counts, confidence)
    if spread == 0 or not 0 < value < 1:
        return Interval(float(value), score_low, score_high)
    half = norm.ppf((1 + confidence) / 2) * spread / (value * (1 - value))
    low, high = 1 / (1 + np.exp(-(np.log(value / (1 - value)) + np.array([-half, half]))))
    return Interval(float(value), min(float(low), score_low), max(float(high), score_high))


def auroc_difference(
    present: Truth,
    one: Float[np.ndarray, "scan"],
    other: Float[np.ndarray, "scan"],
) -> tuple[float, float]:
    """AUROC of `one` less that of `other` on the same scans, and its two-sided p value.

    By DeLong's test; by permutation (`swap_test`) where a class has fewer than `FEW` scans, or
    where neither score makes an error that a variance could be told from.
    """
    present = present.astype(bool)
    if min(present.sum(), (~present).sum()) < 2:
        return np.nan, np.nan
    values, covariance = _covariance(present, np.stack([one, other]))
    difference = float(values[0] - values[1])
    spread = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    if difference == 0 and spread == 0:
        return difference, 1.0
    if spread == 0 or min(present.sum(), (~present).sum()) < FEW:
        return difference, swap_test(present, one, other)
    return difference, float(2 * norm.sf(abs(difference) / spread))


def _covariance(
    present: Bool[np.ndarray, "scan"], scores: Float[np.ndarray, "score scan"]
) -> tuple[Float[np.ndarray, "score"], Float[np.ndarray, "score score"]]:
    """AUROCs and their covariance, from where each scan stands among the other class."""
    positive, negative = scores[:, present], scores[:, ~present]
    m, n = positive.shape[1], negative.shape[1]
    together = rankdata(np.concatenate([positive, negative], axis=1), axis=1)
    above = (together[:, :m] - rankdata(positive, axis=1)) / n
    below = 1 - (together[:, m:] - rankdata(negative, axis=1)) / m
    return above.mean(axis=1), np.atleast_2d(np.cov(above)) / m + np.atleast_2d(
        np.cov(below)
    ) / n


Statistic = Callable[[Int[np.ndarray, "scan"]], float]
"""A statistic of the scans with these numbers; a scan may come several times."""


def bootstrap(
    statistic: Statistic,
    scans: int,
    *,
    draws: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Percentile interval of `statistic` over `scans` scans drawn with replacement.

    Scans are drawn, not scan–label pairs: the labels of one scan belong together. Draws in
    which the statistic is undefined are left out. Bounds are NaN where every draw gives the
    same value, as of a single scan or of scans without an error: no spread can be told from
    that. Efron and Tibshirani, 1993.
    """
    random = np.random.default_rng(seed)
    values = [statistic(random.integers(scans, size=scans)) for _ in range(draws)]
    low, high = _percentiles(np.array(values), confidence)
    return Interval(statistic(np.arange(scans)), low, high)


def _percentiles(values: Float[np.ndarray, "draw"], confidence: float) -> tuple[float, float]:
    defined = values[~np.isnan(values)]
    if not len(defined) or np.ptp(defined) <= 1e-12 * np.abs(defined).max():
        return np.nan, np.nan
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


@dataclass(frozen=True, eq=False)
class Reliability:
    """Bins of scans of similar probability: how many, the mean said, and the share true."""

    counts: Float[np.ndarray, "bin"]
    said: Float[np.ndarray, "bin"]
    true: Float[np.ndarray, "bin"]

    @property
    def error(self) -> float:
        """Expected calibration error: mean over scans of |said − true| of their bin."""
        if not self.counts.sum():
            return np.nan
        filled = self.counts > 0
        gaps = np.abs(self.said - self.true)[filled]
        return float(np.average(gaps, weights=self.counts[filled]))


def reliability(
    present: Bool[np.ndarray, "scan"], probabilities: Float[np.ndarray, "scan"], bins: int = 10
) -> Reliability:
    """Scans in equal bins of probability; empty bins are NaN. Guo et al., ICML 2017."""
    where = np.minimum((probabilities * bins).astype(int), bins - 1)
    counts = np.bincount(where, minlength=bins).astype(float)
    with np.errstate(invalid="ignore"):
        said = np.bincount(where, probabilities, minlength=bins) / counts
        true = np.bincount(where, present.astype(float), minlength=bins) / counts
    return Reliability(counts, said, true)


def brier(present: Bool[np.ndarray, "scan"], probabilities: Float[np.ndarray, "scan"]) -> float:
    """Mean squared distance of the probabilities from what was true. Brier, 1950."""
    return float(np.mean((probabilities - present) ** 2)) if len(present) else np.nan
