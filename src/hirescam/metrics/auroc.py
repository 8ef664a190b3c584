"""AUROC: how often a scan with a label scores higher than one without."""

import numpy as np
from jaxtyping import Bool, Float, Integer
from scipy.stats import rankdata

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
