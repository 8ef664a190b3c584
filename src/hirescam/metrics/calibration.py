"""Calibration: whether of scans called 30 % likely, 30 % have the label."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float


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
