"""Alarms: labels that a model tells from places in which they cannot be, and odd scans.

Shares are of sums over all scans, so that a scan counts by its evidence. An alarm tells where
a model looks; whether it relies on that is told by hiding the place (docs/why/).
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float

from hirescam.evaluation.evidence import Evidence
from hirescam.evaluation.tables import Row, interval_columns
from hirescam.explanation.places import OUTSIDE_BODY
from hirescam.metrics.delong import Interval
from hirescam.training.datasets.cases import anatomy_of

OUTLYING = 3.5
"""Robust z-score from which a scan is an outlier. Iglewicz and Hoaglin, 1993."""
DIFFERENT = 0.1
"""The least difference of shares that makes an outlier where all others agree."""


def label_table(evidence: Evidence, *, draws: int = 500) -> list[Row]:
    """Per label: its evidence, how much lies in its organs, in each place, and its alarm.

    Intervals are of 95 %, over scans drawn anew. Alarms come first.
    """
    raised = evidence.raised.astype(np.float64)
    totals = raised.sum(axis=2)
    even = evidence.volume.mean(axis=0)
    body = np.array([place == OUTSIDE_BODY for place in evidence.places])
    inside = _intervals((raised * _own_places(evidence)).sum(axis=2), totals, draws)
    outside = _intervals(raised @ body, totals, draws)
    shares = raised.sum(axis=0) / np.maximum(totals.sum(axis=0), np.finfo(float).tiny)[:, None]
    rows: list[Row] = []
    for column, label in enumerate(evidence.labels):
        own = _own_places(evidence)[column]
        evenly = float(even[own].sum()) if own.any() else np.nan
        of_organs = inside[column] if own.any() else Interval(np.nan, np.nan, np.nan)
        rows.append(
            {
                "label": label,
                "alarm": _alarm(of_organs, evenly, outside[column], float(even @ body)),
                "mean_probability": float(evidence.probabilities[:, column].mean()),
                "mean_evidence": float(totals[:, column].mean()),
                **interval_columns("in_its_organs", of_organs),
                "evenly_spread": evenly,
                **dict(zip(evidence.places, shares[column].tolist(), strict=True)),
            }
        )
    return sorted(rows, key=lambda row: (not row["alarm"], row["label"]))


def outlier_table(evidence: Evidence) -> list[Row]:
    """Scans that raised a label's score from elsewhere than most; the oddest first.

    Only scans with at least the label's median evidence: of little evidence, shares are noise.
    """
    return sorted(_outliers(evidence), key=lambda row: -abs(float(str(row["distance"]))))


def _outliers(evidence: Evidence) -> Iterator[Row]:
    totals = evidence.raised.sum(axis=2, dtype=np.float64)
    in_organs = (evidence.raised * _own_places(evidence)).sum(axis=2, dtype=np.float64)
    for column, label in enumerate(evidence.labels):
        enough = totals[:, column] >= max(np.median(totals[:, column]), 1e-9)
        scans = np.flatnonzero(enough)
        if not len(scans) or not _own_places(evidence)[column].any():
            continue
        inside = in_organs[scans, column] / totals[scans, column]
        usual = float(np.median(inside))
        spread = float(np.median(np.abs(inside - usual)))
        distance = 0.6745 * (inside - usual) / max(spread, 1e-6)
        odd = (np.abs(distance) > OUTLYING) & (np.abs(inside - usual) > DIFFERENT)
        for at in np.flatnonzero(odd):
            yield {
                "scan": evidence.scans[scans[at]],
                "label": label,
                "in_its_organs": float(inside[at]),
                "usual": usual,
                "distance": float(distance[at]),
                "probability": float(evidence.probabilities[scans[at], column]),
            }


def _own_places(evidence: Evidence) -> Bool[np.ndarray, "label place"]:
    """The organs in which each label can lie, as its name tells."""
    organs = anatomy_of(evidence.labels).values()
    return np.array([[place in each for place in evidence.places] for each in organs])


def _alarm(inside: Interval, evenly: float, outside: Interval, evenly_outside: float) -> str:
    """What is wrong beyond chance with where a label is seen; nothing, mostly."""
    wrong = []
    if inside.high < 0.5:
        wrong.append(f"most of its evidence lies outside its organs ({1 - inside.value:.0%})")
    if inside.high < evenly:
        wrong.append(f"its organs have less of it than of the map's volume ({evenly:.0%})")
    if outside.low > max(evenly_outside, 0.01):
        wrong.append(
            f"{outside.value:.0%} of it lies outside the body, which has {evenly_outside:.0%} "
            f"of the map's volume"
        )
    return "; ".join(wrong)


def _intervals(
    parts: Float[np.ndarray, "scan label"], wholes: Float[np.ndarray, "scan label"], draws: int
) -> list[Interval]:
    """Of each label's share, all labels from the same draws of scans."""
    scans = len(parts)
    random = np.random.default_rng(0)
    times = random.multinomial(scans, np.full(scans, 1 / scans), size=draws).astype(float)
    with np.errstate(invalid="ignore"):  # a label without evidence has no share
        drawn = (times @ parts) / (times @ wholes)
        found = parts.sum(axis=0) / wholes.sum(axis=0)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return [Interval(*map(float, each)) for each in zip(found, low, high, strict=True)]
