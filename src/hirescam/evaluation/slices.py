"""Which slices speak for a label: mean scores along the body, as the paper's figure 13."""

import numpy as np

from hirescam.evaluation.outcomes import Outcomes
from hirescam.evaluation.tables import Row


def slice_table(outcomes: Outcomes, *, draws: int = 200) -> list[Row]:
    """Per label, slice group and class: the mean score and its interval, as figure 13."""
    rows: list[Row] = []
    for column, label in enumerate(outcomes.labels):
        for name, wanted in (("present", 1.0), ("absent", 0.0)):
            scores = outcomes.slice_scores[outcomes.truth[:, column] == wanted, column]
            if not len(scores):
                continue
            random = np.random.default_rng(0)
            drawn = random.integers(len(scores), size=(draws, len(scores)))
            means = np.stack([scores[one].mean(axis=0) for one in drawn])
            low, high = np.quantile(means, [0.025, 0.975], axis=0)
            rows += [
                {
                    "label": label,
                    "class": name,
                    "slice": slice_number,
                    "score": float(scores[:, slice_number].mean()),
                    "score_low": float(low[slice_number]),
                    "score_high": float(high[slice_number]),
                    "scans": len(scores),
                }
                for slice_number in range(scores.shape[1])
            ]
    return rows
