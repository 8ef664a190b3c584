"""Finding: all that a summary says about one label, as numbers and words."""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hirescam.errors import TargetError, WriteError
from hirescam.explanation import Explanation
from hirescam.methods._audit import Guarantee
from hirescam.summary.colours import Scale, scale_of

DISCLAIMER = "For research, not for diagnosis."
_LONGEST = 80


@dataclass(frozen=True)
class Peak:
    """The cell that a map's pictures are cut through, and where its centre lies (RAS)."""

    cell: tuple[int, int, int]
    value: float
    patient_mm: tuple[float, float, float]

    @property
    def sentence(self) -> str:
        """Why the pictures are cut here."""
        if self.value > 0:
            return "The planes pass through the place that raised the score most."
        if self.value < 0:
            return (
                "No place raised this score; the planes pass through the place that lowered it "
                "most."
            )
        return "The map is zero everywhere; the planes pass through the middle of its field."


@dataclass(frozen=True, eq=False)
class Finding:
    """One label of an explanation. Sums are over all cells, in float64, in logits."""

    label: str
    stem: str
    probability: float
    score: float
    offset: float
    positive: float
    negative: float
    peak: Peak
    values: Float[np.ndarray, "slice row column"]
    slice_scores: Float[np.ndarray, "slice"] | None
    guarantee: Guarantee

    def scale(self, shared: Scale) -> Scale:
        """The colours of its pictures: of all findings, or its own where it says so."""
        return scale_of(self.values, shared, likely=self.score > 0)

    @property
    def map_sum(self) -> float:
        """What all places together added to the score."""
        return self.positive + self.negative


def findings(
    explanation: Explanation, labels: Sequence[str] | None = None
) -> tuple[Finding, ...]:
    """The chosen labels (default: all), the most probable first.

    Raises `TargetError` for a label that the explanation does not have, `WriteError` for
    numbers that are not finite.
    """
    chosen = tuple(dict.fromkeys(explanation.labels if labels is None else labels))
    for label in chosen:
        if label not in explanation.labels:
            near = difflib.get_close_matches(label, explanation.labels, 1, 0.0) or ["none"]
            raise TargetError(f"no label {label!r} in this explanation: nearest is {near[0]!r}")
    stems = file_names(chosen)
    all_of = [
        _finding(explanation, explanation.labels.index(label), stems[label]) for label in chosen
    ]
    return tuple(sorted(all_of, key=lambda finding: -finding.score))


def _finding(explanation: Explanation, row: int, stem: str) -> Finding:
    label, values = explanation.labels[row], explanation.raw_maps[row]
    slices = None if explanation.slice_logits is None else explanation.slice_logits[row]
    numbers = np.concatenate(
        [values.ravel(), explanation.logits[row : row + 1], explanation.offsets[row : row + 1]]
        + ([] if slices is None else [slices])
    )
    if not np.isfinite(numbers).all():
        raise WriteError(
            f"scores or map of {label!r} hold values that are not finite: check the model and "
            f"the scan's values before writing a summary"
        )
    exact = values.astype(np.float64)
    return Finding(
        label=label,
        stem=stem,
        probability=explanation.probabilities[label],
        score=float(explanation.logits[row]),
        offset=float(explanation.offsets[row]),
        positive=float(exact[exact > 0].sum()),
        negative=float(exact[exact < 0].sum()),
        peak=_peak(values, explanation.affine),
        values=values,
        slice_scores=slices,
        guarantee=explanation.verdicts[row],
    )


def _peak(
    values: Float[np.ndarray, "slice row column"], affine: Float[np.ndarray, "4 4"]
) -> Peak:
    """The largest value if one is positive, else the lowest; the middle of a map of zeros."""
    if not values.any():
        at = tuple(size // 2 for size in values.shape)
    else:
        flat = values.argmax() if values.max() > 0 else values.argmin()
        at = np.unravel_index(flat, values.shape)
    plane, row, column = (int(index) for index in at)
    right, front, head = (affine @ [plane, row, column, 1])[:3].tolist()
    return Peak((plane, row, column), float(values[plane, row, column]), (right, front, head))


def file_names(labels: Iterable[str]) -> dict[str, str]:
    """Name without suffix for each label; what no file system objects to is kept as it is."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for label in labels:
        plain = re.sub(r"[^A-Za-z0-9_-]+", "_", label)[:_LONGEST] or "label"
        name, count = plain, 1
        while name.lower() in taken:  # some file systems take A for a
            count += 1
            name = f"{plain}-{count}"
        taken.add(name.lower())
        names[label] = name
    return names
