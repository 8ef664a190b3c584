"""DeLong: what the AUROC of a score is known to, and whether two scores' AUROCs differ.

DeLong, DeLong and Clarke-Pearson, Biometrics 44, 1988; in the n log n form of Sun and Xu,
IEEE Signal Processing Letters 21, 2014.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import norm, rankdata

from hirescam.metrics.auroc import Truth, auroc
from hirescam.metrics.small_samples import score_interval, swap_test

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
