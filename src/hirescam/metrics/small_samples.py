"""AUROC of few scans: an interval that never has width 0, and a test that assumes nothing.

DeLong's variance is 0 where a score makes no error, of however few scans, and far too small
near that. Newcombe's score interval is not: it takes the variance at each AUROC that might be
the true one. A permutation test counts what chance would do with the very scans at hand.
"""

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import brentq
from scipy.stats import norm, rankdata

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
