"""AUROC: how often a scan with a label scores higher than one without."""

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import rankdata


def auroc(present: Bool[np.ndarray, "scan"], scores: Float[np.ndarray, "scan"]) -> float:
    """Area under the ROC curve; ties count half; NaN where one of the classes is empty."""
    positive, negative = int(present.sum()), int((~present).sum())
    if not positive or not negative:
        return float("nan")
    ranks = rankdata(scores)[present].sum()
    return float((ranks - positive * (positive + 1) / 2) / (positive * negative))
