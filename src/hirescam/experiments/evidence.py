"""Evidence: in which places of the body each map has what raised each score.

A map points at the place that holds most of its positive evidence; all organs in which the
label can lie count as one place, and so do both lungs. That is what a reader sees first, put
into numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from hirescam.anatomy import ORGANS
from hirescam.atomic import atomic_write
from hirescam.evaluation.outcomes import METHODS
from hirescam.experiments.looking import look
from hirescam.explanation.organ_shares import (
    OUTSIDE_BODY,
    OUTSIDE_FIELD,
    REST_OF_BODY,
    organ_shares,
    organs_in_cells,
)
from hirescam.models.files import Model
from hirescam.regions.allowed import possible_places
from hirescam.training.datasets.cases import Case
from hirescam.training.prepared import OnProgress

_LUNGS = ORGANS[:2]
PLACES = (*ORGANS, REST_OF_BODY, OUTSIDE_BODY, OUTSIDE_FIELD)

POINTS = (
    "A map points at the place that holds most of its positive evidence; all organs in which "
    "the label can lie count as one place, and so do both lungs."
)
"""The same for the notes of a table."""


@dataclass(frozen=True, eq=False)
class Evidence:
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


def gather(
    model: Model, cases: Sequence[Case], folder: Path, *, on_progress: OnProgress
) -> Evidence:
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
    return Evidence(model.labels, np.stack(raised), np.stack(volume))


def _write(model: Model, case: Case, path: Path) -> None:
    seen = look(model, case)
    one = seen.found[METHODS[0]]
    cells = organs_in_cells(
        seen.organs, one.scan, one.input_volume, one.raw_maps.shape[1:], one.affine
    )
    columns = [cells.places.index(place) for place in PLACES]
    raised = [
        organ_shares(model.labels, seen.found[method].raw_maps, cells).raised[:, columns]
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
