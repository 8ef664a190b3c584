"""Picks: which predictions a figure shows, and how many there are of each kind."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Bool

from hirescam.evaluation.classification import classification
from hirescam.evaluation.outcomes import Outcomes

Pair = tuple[int, int]
"""A scan and a label, by number."""

MOST_SCANS = 300
"""Whose maps are looked into one by one; more would tell little more and take hours."""

PREDICTED = (
    "A label is predicted from the probability on which sensitivity and specificity add up to "
    "most on validation scans."
)


def some_scans(count: int, most: int = MOST_SCANS) -> list[int]:
    """At most so many of `count` scans, drawn by chance and always the same."""
    drawn = np.random.default_rng(0).permutation(count)[:most]
    return sorted(drawn.tolist())


def kinds(test: Outcomes, valid: Outcomes) -> dict[str, Bool[np.ndarray, "scan label"]]:
    """Which predictions are right and which are wrong; of unknown labels, neither.

    A label is predicted from the probability on which sensitivity and specificity add up to
    most on validation scans; from the median of these if they all have the label, or none.
    """
    best = np.array([row["threshold"] for row in classification(valid, draws=1)], float)
    usual = np.median(valid.probabilities, axis=0)
    said = test.probabilities >= np.where(np.isnan(best), usual, best)
    present, absent = test.truth == 1, test.truth == 0
    return {
        "true positive": said & present,
        "false positive": said & absent,
        "false negative": ~said & present,
    }


def pairs(which: Bool[np.ndarray, "scan label"]) -> list[Pair]:
    """The scans and labels where `which` is true."""
    return [(int(scan), int(label)) for scan, label in np.argwhere(which)]


def varied(ranked: Iterable[Pair], count: int) -> list[Pair]:
    """The first of ranked pairs, each label once before any comes twice; so the scans."""
    left = list(ranked)
    chosen: list[Pair] = []
    while left and len(chosen) < count:
        scans = [scan for scan, _ in chosen]
        labels = [label for _, label in chosen]
        best = min(
            left, key=lambda pair: (labels.count(pair[1]), scans.count(pair[0]))
        )  # the first of equals
        left.remove(best)
        chosen.append(best)
    return chosen
