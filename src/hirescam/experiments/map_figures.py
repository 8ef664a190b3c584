"""Figures of maps: which predictions they show, the maps and organs of these, and their panels.

A map points at the place that holds most of its positive evidence; all organs in which the
label can lie count as one place, and so do both lungs. That is what a reader sees first, put
into numbers.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from hirescam.anatomy import ORGANS
from hirescam.atomic import atomic_write
from hirescam.ct.reading import read_volume
from hirescam.ct.volume import Volume
from hirescam.evaluation.classification import classification
from hirescam.evaluation.outcomes import METHODS, Outcomes
from hirescam.explanation import Explanation, explain
from hirescam.explanation.organ_shares import (
    OUTSIDE_BODY,
    OUTSIDE_FIELD,
    REST_OF_BODY,
    organ_shares,
    organs_in_cells,
)
from hirescam.figures.charts import place_bar
from hirescam.figures.scan_panel import Scene, draw_map, scene, strongest_slice
from hirescam.methods.map_methods import MAP_METHODS
from hirescam.models.files import Model
from hirescam.organs.masks import OrganMasks
from hirescam.organs.segment import segment_organs
from hirescam.regions.allowed import possible_places
from hirescam.training.datasets.cases import Case
from hirescam.training.prepared import OnProgress, read_masks

METHOD_NAMES = {method: MAP_METHODS[method].title for method in METHODS}
"""As pictures write them."""


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


_LUNGS = ORGANS[:2]
PLACES = (*ORGANS, REST_OF_BODY, OUTSIDE_BODY, OUTSIDE_FIELD)

POINTS = (
    "A map points at the place that holds most of its positive evidence; all organs in which "
    "the label can lie count as one place, and so do both lungs."
)
"""The same for the notes of a table."""


@dataclass(frozen=True, eq=False)
class PlaceEvidence:
    """Of some scans: what raised each score in each of `PLACES`, in logits.

    `volume` is the share of a map's cells in each place, which even evidence would have.
    """

    labels: tuple[str, ...]
    raised: Float[np.ndarray, "scan method label place"]
    volume: Float[np.ndarray, "scan place"]

    @cached_property
    def shares(self) -> Float[np.ndarray, "scan method label place"]:
        """The share of the positive evidence in each place; NaN where a map has none."""
        total = self.raised.sum(axis=3, keepdims=True)
        return np.divide(
            self.raised, total, out=np.full_like(self.raised, np.nan), where=total > 0
        )

    @property
    def inside(self) -> Float[np.ndarray, "scan method label"]:
        """The share in the organs in which a label can lie."""
        return _inside(self.shares, self.labels)

    @property
    def elsewhere(self) -> Bool[np.ndarray, "scan method label"]:
        """Whether a map points at a place in which its label cannot lie."""
        return _elsewhere(self.shares, self.labels)

    @property
    def even_elsewhere(self) -> Bool[np.ndarray, "scan label"]:
        """The same of maps whose evidence is spread evenly over all cells."""
        even = np.repeat(self.volume[:, None], len(self.labels), axis=1)
        return _elsewhere(even, self.labels)


def organs_for(label: str) -> list[str]:
    """The organs in which a label can lie."""
    return [
        organ for organ, can in zip(ORGANS, possible_places([label])[0], strict=True) if can
    ]


@dataclass(frozen=True, eq=False)
class MappedScan:
    """A scan's explanations by method, and its organs on the grid of the scan."""

    explanations: Mapping[str, Explanation]
    organs: OrganMasks

    @cached_property
    def scene(self) -> Scene:
        """What panels of its planes are drawn from."""
        return scene(next(iter(self.explanations.values())), self.organs)

    def strongest_slice(self, label: str, method: str = "hirescam") -> int:
        """The slice of the map with the most positive evidence for a label."""
        return strongest_slice(self.explanations[method], label)

    def draw(
        self,
        panel: Axes,
        label: str,
        *,
        method: str = "hirescam",
        at: int | None = None,
        **options: Any,
    ) -> None:
        """One plane under one map, the strongest of HiResCAM unless told otherwise."""
        at = self.strongest_slice(label) if at is None else at
        found = self.explanations[method]
        draw_map(panel, self.scene, found, label, at, organs=organs_for(label), **options)


def map_scan(model: Model, case: Case, methods: tuple[str, ...] = METHODS) -> MappedScan:
    """Read, explain and segment the scan of a case; of a simulated one the organs are known."""
    scan = read_volume(case.scan)
    explanations = {method: explain(model, scan, method=method) for method in methods}
    return MappedScan(explanations, organs_of(case, scan))


def organs_of(case: Case, scan: Volume) -> OrganMasks:
    """The organs that come with a case, or else those found in its scan."""
    return read_masks(case.organs) if case.organs else segment_organs(scan)


def panels(figure: FigureBase, down: int, across: int, *, bars: bool = False) -> np.ndarray:
    """A grid of empty panels; with `bars`, below each a narrow one for shares by place."""
    heights = [1, 0.09] * down if bars else [1] * down
    grid: np.ndarray = figure.subplots(
        len(heights), across, gridspec_kw={"height_ratios": heights}, squeeze=False
    )
    for each in grid.flat:
        each.set_axis_off()
    return grid


def draw_places(bar: Axes, seen: PlaceEvidence, scan: int, method: str, label: int) -> None:
    """The shares of one map's positive evidence by place, as a bar."""
    shares = seen.shares[scan, METHODS.index(method), label]
    place_bar(bar, dict(zip(PLACES, shares.tolist(), strict=True)))


def gather(
    model: Model, cases: Sequence[Case], folder: Path, *, on_progress: OnProgress
) -> PlaceEvidence:
    """The evidence of all labels in these scans; what `folder` has of it is not made again."""
    raised, volume = [], []
    for done, case in enumerate(cases, start=1):
        path = folder / f"{case.id}.npz"
        if not path.exists():
            _write(model, case, path)
        with np.load(path, allow_pickle=False) as kept:
            raised.append(kept["raised"])
            volume.append(kept["volume"])
        on_progress("evidence by place", done, len(cases))
    return PlaceEvidence(model.labels, np.stack(raised), np.stack(volume))


def _write(model: Model, case: Case, path: Path) -> None:
    seen = map_scan(model, case)
    one = seen.explanations[METHODS[0]]
    cells = organs_in_cells(
        seen.organs, one.scan, one.input_volume, one.raw_maps.shape[1:], one.affine
    )
    columns = [cells.places.index(place) for place in PLACES]
    raised = [
        organ_shares(model.labels, seen.explanations[method].raw_maps, cells).raised[:, columns]
        for method in METHODS
    ]
    volume = cells.shares.mean(axis=(1, 2, 3))[columns]
    with atomic_write(path) as file:
        np.savez_compressed(file, raised=np.stack(raised), volume=volume)


def _inside(
    shares: Float[np.ndarray, "*scan label place"], labels: tuple[str, ...]
) -> Float[np.ndarray, "*scan label"]:
    organs = shares[..., : len(ORGANS)]
    return np.where(possible_places(labels), organs, 0).sum(axis=-1)


def _elsewhere(
    shares: Float[np.ndarray, "*scan label place"], labels: tuple[str, ...]
) -> Bool[np.ndarray, "*scan label"]:
    other = shares.copy()
    other[..., : len(ORGANS)][..., possible_places(labels)] = 0
    lungs = other[..., : len(_LUNGS)].sum(axis=-1)
    return np.maximum(lungs, other[..., len(_LUNGS) :].max(axis=-1)) > _inside(shares, labels)
