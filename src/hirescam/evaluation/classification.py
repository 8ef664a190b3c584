"""How well a model's scores tell scans with a label from scans without it."""

from importlib import import_module
from types import ModuleType

import numpy as np
from jaxtyping import Bool, Float

from hirescam.errors import MissingPackageError
from hirescam.evaluation.outcomes import Outcomes
from hirescam.evaluation.tables import Row, interval_columns
from hirescam.metrics.classification import (
    Interval,
    auroc,
    auroc_interval,
    bootstrap,
    brier,
    reliability,
)

CHANCE = 0.5


def classification(outcomes: Outcomes, *, draws: int = 1000) -> list[Row]:
    """Per label: AUROC, average precision, calibration. NaN where one class is empty."""
    return [
        _classified(label, outcomes.truth[:, column], outcomes.probabilities[:, column], draws)
        for column, label in enumerate(outcomes.labels)
    ]


def median_auroc(*of_models: Outcomes, draws: int = 1000) -> Interval:
    """Median over the labels, as the paper's tables 1 and 6 report it.

    Of several models on the same scans it is the mean of their medians.
    """
    found = bootstrap(
        lambda scans: float(np.mean([_median_auroc(each, scans) for each in of_models])),
        len(of_models[0].scans),
        draws=draws,
    )
    if not np.isnan(found.low) or np.isnan(found.value):
        return found
    # every draw gave the same, as where all labels are told apart without an error
    ends = np.array([_median_ends(each) for each in of_models]).mean(axis=0)
    return Interval(found.value, float(ends[0]), float(ends[1]))


def _classified(
    label: str,
    truth: Float[np.ndarray, "scan"],
    probabilities: Float[np.ndarray, "scan"],
    draws: int,
) -> Row:
    known = ~np.isnan(truth)
    present, said = truth[known] == 1, probabilities[known]
    return {
        "label": label,
        "scans": int(known.sum()),
        "positive": int(present.sum()),
        **interval_columns("auroc", auroc_interval(present, said)),
        **interval_columns(
            "average_precision",
            bootstrap(
                lambda scans: _average_precision(present[scans], said[scans]),
                len(present),
                draws=draws,
            ),
        ),
        "brier": brier(present, said),
        "calibration_error": reliability(present, said).error,
        "threshold": _youden(present, said),
        "learnt": learnt(auroc_interval(present, said)),
    }


def learnt(found: Interval) -> str:
    """Whether an AUROC is above chance: "no" where its interval includes 0.5."""
    if np.isnan(found.low):
        return "unknown"
    return "yes" if found.low > CHANCE else "no"


def learnt_labels(outcomes: Outcomes) -> dict[str, str]:
    """The same of every label."""
    told = {}
    for column, label in enumerate(outcomes.labels):
        truth = outcomes.truth[:, column]
        known = ~np.isnan(truth)
        scores = outcomes.logits[known, column].astype(float)
        told[label] = learnt(auroc_interval(truth[known] == 1, scores))
    return told


def _average_precision(
    present: Bool[np.ndarray, "scan"], said: Float[np.ndarray, "scan"]
) -> float:
    if not present.any():
        return np.nan
    return float(_scikit_learn().average_precision_score(present, said))


def _youden(present: Bool[np.ndarray, "scan"], said: Float[np.ndarray, "scan"]) -> float:
    """The probability from which sensitivity + specificity is largest; NaN if undefined."""
    if present.all() or not present.any():
        return np.nan
    false, true, thresholds = _scikit_learn().roc_curve(present, said)
    return float(thresholds[(true - false).argmax()])


def _median_auroc(outcomes: Outcomes, scans: np.ndarray) -> float:
    each = []
    for column in range(len(outcomes.labels)):
        truth = outcomes.truth[scans, column]
        known = ~np.isnan(truth)
        each.append(
            auroc(truth[known] == 1, outcomes.logits[scans, column][known].astype(float))
        )
    return float(np.nanmedian(each)) if not np.isnan(each).all() else np.nan


def _median_ends(outcomes: Outcomes) -> tuple[float, float]:
    """Medians over the labels of the two ends of their AUROCs' intervals."""
    ends = []
    for column in range(len(outcomes.labels)):
        truth = outcomes.truth[:, column]
        known = ~np.isnan(truth)
        scores = outcomes.logits[known, column].astype(float)
        found = auroc_interval(truth[known] == 1, scores)
        if not np.isnan(found.low):
            ends.append((found.low, found.high))
    if not ends:
        return np.nan, np.nan
    low, high = np.median(ends, axis=0)
    return float(low), float(high)


def _scikit_learn() -> ModuleType:
    try:
        return import_module("sklearn.metrics")
    except ImportError as error:
        raise MissingPackageError(
            'evaluation needs scikit-learn: pip install "hirescam[train]"'
        ) from error
