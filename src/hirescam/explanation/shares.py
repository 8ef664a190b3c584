"""OrganShares: how much of each label's evidence lies where, in numbers and in a sentence."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Float64

from hirescam.explanation.places import (
    OUTSIDE_BODY,
    OUTSIDE_FIELD,
    REST_OF_BODY,
    PlacesInCells,
)
from hirescam.organs.masks import Verdict

Sign = Literal["positive", "negative"]
IN_WORDS = {
    REST_OF_BODY: "elsewhere in the body",
    OUTSIDE_BODY: "outside the body",
    OUTSIDE_FIELD: "outside the field that the network saw",
}
_TOLD = 0.05  # the least share that a sentence tells of
_ALARMING = 0.01  # the same of places where no finding can be
_NO_FINDING_THERE = (OUTSIDE_BODY, OUTSIDE_FIELD)


@dataclass(frozen=True, eq=False)
class OrganShares:
    """Evidence of each label in each place, in logits: what raised the score, what lowered it.

    `volume` is the share of the map's own volume in each place, which evidence that is spread
    evenly would have. `seen` is the share of each organ within the map's cells.
    """

    labels: tuple[str, ...]
    places: tuple[str, ...]
    raised: Float64[np.ndarray, "label place"]
    lowered: Float64[np.ndarray, "label place"]
    volume: Mapping[str, float]
    seen: Mapping[str, float]
    verdicts: Mapping[str, Verdict]

    def positive(self, label: str) -> dict[str, float]:
        """Share of the positive evidence in each place; they add up to 1, or all are 0."""
        return self._shares(self.raised, label)

    def negative(self, label: str) -> dict[str, float]:
        """The same of the negative evidence."""
        return self._shares(self.lowered, label)

    def net(self, place: str) -> dict[str, float]:
        """What a place did to each score, by the maps alone."""
        column = self.places.index(place)
        net = self.raised[:, column] + self.lowered[:, column]
        return dict(zip(self.labels, net.tolist(), strict=True))

    def sentence(self, label: str) -> str:
        """Where the evidence lies, the largest share first, and which masks are in doubt."""
        sign: Sign = "positive"
        shares = self.positive(label)
        begin = ""
        if not any(shares.values()):
            sign, shares = "negative", self.negative(label)
            begin = "No place raised this score. "
        if not any(shares.values()):
            return "The map is zero everywhere."
        told = [
            place
            for place in sorted(shares, key=lambda place: -shares[place])
            if shares[place] >= (_ALARMING if place in _NO_FINDING_THERE else _TOLD)
        ]
        parts = [f"{100 * shares[place]:.0f} % {{}}{_where(place)}" for place in told]
        parts[0] = parts[0].format(f"of the {sign} evidence lies ")
        return f"{begin}{', '.join(part.format('') for part in parts)}.{self._doubts(told)}"

    def _shares(
        self, evidence: Float64[np.ndarray, "label place"], label: str
    ) -> dict[str, float]:
        row = evidence[self.labels.index(label)]
        total = row.sum()
        shares = row / total if total else np.zeros_like(row)
        return dict(zip(self.places, shares.tolist(), strict=True))

    def _doubts(self, told: list[str]) -> str:
        doubtful = [
            place.replace("_", " ")
            for place in told
            if place in self.verdicts and not self.verdicts[place].trusted
        ]
        return f" In doubt: the mask of the {' and the '.join(doubtful)}." if doubtful else ""


def organ_shares(
    labels: tuple[str, ...],
    maps: Float[np.ndarray, "label slice row column"],
    cells: PlacesInCells,
) -> OrganShares:
    """Each cell's evidence goes to the places that it lies in, by the volume in each."""
    exact = maps.astype(np.float64)
    in_places = "lsrc,psrc->lp"
    return OrganShares(
        labels,
        cells.places,
        raised=np.einsum(in_places, np.maximum(exact, 0), cells.shares, optimize=True),
        lowered=np.einsum(in_places, np.minimum(exact, 0), cells.shares, optimize=True),
        volume=dict(zip(cells.places, cells.shares.mean(axis=(1, 2, 3)).tolist(), strict=True)),
        seen=cells.seen,
        verdicts=cells.verdicts,
    )


def _where(place: str) -> str:
    return IN_WORDS.get(place, f"in the {place.replace('_', ' ')}")
