"""Regions: where each label of a scan may look, on the grid of a feature map.

Draelos and Carin, arXiv:2011.08891, section 3.6: `named organs @ organ masks`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool

from hirescam.anatomy import LIES_IN, ORGANS
from hirescam.errors import TargetError
from hirescam.regions.downsample import OrgansOnMap

Places = Bool[np.ndarray, "label organ"]


@dataclass(frozen=True, eq=False)
class Regions:
    """One scan's labels: which are present, in which organs, and where those lie on the map."""

    labels: tuple[str, ...]
    present: Bool[np.ndarray, "label"]
    places: Places
    organs: OrgansOnMap

    def allowed(
        self, absent: Literal["nowhere", "anatomy"] = "nowhere"
    ) -> Bool[np.ndarray, "label slice row column"]:
        """Where each label may look.

        Absent labels may look `nowhere`, as published, or where their `anatomy` would have
        them lie.
        """
        places = self.places & self.present[:, None]
        if absent == "anatomy":
            places |= possible_places(self.labels) & ~self.present[:, None]
        return allowed_regions(places, self.organs)


def allowed_regions(
    places: Places, organs: OrgansOnMap
) -> Bool[np.ndarray, "label slice row column"]:
    """The union of the organs in which each label lies."""
    return np.einsum("lo,oshw->lshw", places, organs)


def possible_places(labels: Sequence[str]) -> Places:
    """In which organs each label can lie. Raises `TargetError` where a name does not tell."""
    for label in labels:
        if not organs_of(label):
            raise TargetError(
                f"label {label!r} does not say where it lies: begin it with one of "
                f"{', '.join(f'{place}_' for place in LIES_IN)}"
            )
    return np.array([[organ in organs_of(label) for organ in ORGANS] for label in labels])


def reported_places(
    labels: Sequence[str], organs: Mapping[str, Iterable[str]]
) -> tuple[Bool[np.ndarray, "label"], Places]:
    """Which labels are present, and in which organs each was reported.

    `organs` holds the present labels. A label without an organ, as of a finding whose side the
    report does not tell, may lie in every organ that its name allows; so may one that was told
    to lie only where it cannot.
    """
    possible = possible_places(labels)
    present = np.array([label in organs for label in labels])
    places = np.zeros_like(possible)
    for row in np.flatnonzero(present).tolist():
        told = np.array([organ in set(organs[labels[row]]) for organ in ORGANS])
        both = told & possible[row]
        places[row] = both if both.any() else possible[row]
    return present, places


def organs_of(label: str, lies_in: Mapping[str, tuple[str, ...]] = LIES_IN) -> tuple[str, ...]:
    """The organs in which a label can lie, as its name tells; none where it tells nothing."""
    named = (organs for place, organs in lies_in.items() if label.startswith(f"{place}_"))
    return next(named, ())
