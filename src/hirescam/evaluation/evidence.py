"""Evidence: where a model looks in many scans, read from the folders of explanations.

Alarms name labels whose evidence lies where they cannot be, and scans unlike the others. Shares
are of sums over all scans, so that a scan counts by its evidence. An alarm tells where a model
looks; whether it relies on that is told by occluding the place (docs/why/).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32

from hirescam.errors import ReadError
from hirescam.evaluation.tables import Row, interval_columns
from hirescam.explanation.organ_shares import OUTSIDE_BODY
from hirescam.metrics.classification import Interval
from hirescam.parsing import read_json
from hirescam.training.datasets.cases import anatomy_of
from hirescam.training.prepared import OnProgress


@dataclass(frozen=True, eq=False)
class Evidence:
    """What raised each score and where, in logits.

    `volume` is the share of the map's volume in each place, which evidence that is spread
    evenly would have. `slice_scores` are means over the scans, head to feet. `doubted` names
    the scans in which the mask of an organ is not trusted; `left_out` those that were not
    counted for that.
    """

    model: str
    scans: tuple[str, ...]
    labels: tuple[str, ...]
    places: tuple[str, ...]
    probabilities: Float32[np.ndarray, "scan label"]
    raised: Float32[np.ndarray, "scan label place"]
    volume: Float32[np.ndarray, "scan place"]
    slice_scores: Float[np.ndarray, "label slice"]
    doubted: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def note(self) -> str | None:
        """What doubts of organs mean for these numbers; None where there are none."""
        if self.left_out:
            every = len(self.left_out) + len(self.scans)
            return (
                f"{len(self.left_out)} of {every} scans were left out, for the mask of an "
                f"organ in them is not trusted."
            )
        if self.doubted:
            return (
                f"In {len(self.doubted)} of {len(self.scans)} scans the mask of an organ is "
                f"not trusted: shares by organ lean on it. --require-trusted leaves them out."
            )
        return None


def read_evidence(
    folder: Path,
    *,
    require_trusted: bool = False,
    on_progress: OnProgress = lambda name, done, of: None,
) -> Evidence:
    """The evidence of every explained scan below `folder`, each named by its own folder.

    With `require_trusted` only of scans in which every organ's mask is trusted. Raises
    `ReadError` if there is none, or if they are not of one model, with organs.
    """
    every = sorted(folder.rglob("summary.json"))
    if not every:
        raise ReadError(
            f"no summary.json lies below {folder}: give a folder that `hirescam explain` wrote"
        )
    first = _summary(every[0])
    model = first["provenance"]["model_sha256"]
    labels = tuple(sorted(finding["label"] for finding in first["findings"]))
    places = tuple(first["organs"]["map_volume"])
    counted: list[Path] = []
    doubted: list[Path] = []
    probabilities, raised, volume, slice_scores = [], [], [], []
    for row, path in enumerate(every):
        summary = _summary(path)
        of_label = {finding["label"]: finding for finding in summary["findings"]}
        if summary["provenance"]["model_sha256"] != model or set(of_label) != set(labels):
            raise ReadError(
                f"{path.parent.name} and {every[0].parent.name} are explained by other models "
                f"or for other labels: give a folder with one model's explanations"
            )
        on_progress("reading explanations", row + 1, len(every))
        is_doubted = any(not mask["trusted"] for mask in summary["organs"]["masks"].values())
        if is_doubted:
            doubted.append(path)
        if is_doubted and require_trusted:
            continue
        counted.append(path)
        found = [of_label[label] for label in labels]
        probabilities.append([finding["probability"] for finding in found])
        raised.append([_by_place(finding, places) for finding in found])
        volume.append([summary["organs"]["map_volume"][place] for place in places])
        slice_scores.append([finding["slice_scores"] or [] for finding in found])
    if not counted:
        raise ReadError(
            f"in none of the {len(every)} scans below {folder} are all organs trusted: look at "
            f"their masks, or go without --require-trusted"
        )
    return Evidence(
        model=first["provenance"]["model"],
        scans=_names(counted, folder),
        labels=labels,
        places=places,
        probabilities=np.array(probabilities, np.float32),
        raised=np.array(raised, np.float32),
        volume=np.array(volume, np.float32),
        slice_scores=np.mean(slice_scores, axis=0),
        doubted=() if require_trusted else _names(doubted, folder),
        left_out=_names(doubted, folder) if require_trusted else (),
    )


def _names(paths: Sequence[Path], folder: Path) -> tuple[str, ...]:
    return tuple(path.parent.relative_to(folder).as_posix() for path in paths)


def _summary(path: Path) -> dict[str, Any]:
    try:
        summary = read_json(path)
        organs = summary["organs"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReadError(
            f"{path.parent.name}/summary.json is no summary of this version ({error}): explain "
            f"that scan anew"
        ) from error
    if organs is None:
        raise ReadError(
            f"{path.parent.name} was explained without organs: explain it anew with "
            f"--organs auto"
        )
    return dict(summary)


def _by_place(finding: Mapping[str, Any], places: tuple[str, ...]) -> list[float]:
    shares = finding["organs"]["positive"]
    return [finding["positive_evidence"] * shares[place] for place in places]


OUTLIER_Z = 3.5
"""Robust z-score from which a scan is an outlier. Iglewicz and Hoaglin, 1993."""
MIN_DIFFERENCE = 0.1
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
        odd = (np.abs(distance) > OUTLIER_Z) & (np.abs(inside - usual) > MIN_DIFFERENCE)
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
