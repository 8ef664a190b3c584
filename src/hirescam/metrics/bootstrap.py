"""Bootstrap: how far a statistic would move had other scans been drawn."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

from hirescam.metrics.delong import Interval

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
