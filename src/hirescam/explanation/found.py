"""Explanation: what a model says of a scan, where it saw that, and what the map is worth."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64
from scipy.special import expit

from hirescam.ct.grid import onto
from hirescam.ct.volume import Volume
from hirescam.explanation.places import organs_in_cells
from hirescam.explanation.shares import OrganShares, organ_shares
from hirescam.methods.guarantee import Guarantee
from hirescam.organs.masks import OrganMasks


@dataclass(frozen=True)
class Provenance:
    """What made an explanation, for whoever must judge or repeat it."""

    model: str
    model_sha256: str
    architecture: str
    trained_on: str
    method: str
    layer: str
    geometry: str
    precision: str
    scan_sha256: str
    hirescam: str
    torch: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Explanation:
    """Scores, maps and guarantees of one scan, one row per label.

    `raw_maps` are signed, on the network's grid, in the score's own unit: where a guarantee
    holds, a label's map sums to its score minus its offset. `affine` places their cells in
    the patient. `placed` is the scan as the network saw it. `beside` holds the maps that other
    methods make of the same pass, for comparison.
    """

    labels: tuple[str, ...]
    logits: Float32[np.ndarray, "label"]
    offsets: Float32[np.ndarray, "label"]
    slice_logits: Float32[np.ndarray, "label slice"] | None
    raw_maps: Float32[np.ndarray, "label slice row column"]
    affine: Float64[np.ndarray, "4 4"]
    verdicts: tuple[Guarantee, ...]
    scan: Volume
    placed: Volume
    provenance: Provenance
    beside: Mapping[str, Float32[np.ndarray, "label slice row column"]] = field(
        default_factory=dict
    )

    @property
    def scores(self) -> dict[str, float]:
        """Logit of each label."""
        return dict(zip(self.labels, self.logits.tolist(), strict=True))

    @property
    def probabilities(self) -> dict[str, float]:
        """Sigmoid of each score."""
        probabilities = expit(self.logits.astype(np.float64))
        return dict(zip(self.labels, probabilities.tolist(), strict=True))

    @property
    def slice_scores(self) -> dict[str, Float32[np.ndarray, "slice"]]:
        """Score of each label on each slice group, head to feet; empty where there are none."""
        if self.slice_logits is None:
            return {}
        return dict(zip(self.labels, self.slice_logits, strict=True))

    @property
    def maps(self) -> dict[str, Float32[np.ndarray, "slice row column"]]:
        """Raw signed map of each label on the network's grid."""
        return dict(zip(self.labels, self.raw_maps, strict=True))

    @property
    def guarantees(self) -> dict[str, Guarantee]:
        """Verdict on the map of each label."""
        return dict(zip(self.labels, self.verdicts, strict=True))

    def on_scan(self, label: str) -> Float32[np.ndarray, "slice row column"]:
        """The map of `label` on the scan's own grid, for looking: its sum means nothing."""
        return onto(self.maps[label], self.affine, self.scan.shape, self.scan.affine)

    def by_organ(self, organs: OrganMasks) -> OrganShares:
        """How much of each label's evidence lies in each organ, and how much where none is.

        A cell counts for an organ as far as its volume lies in it. Where organs overlap, as
        heuristic ones do, the later one counts. Raises `ShapeError` for organs that were found
        on another scan's grid.
        """
        in_cells = organs_in_cells(
            organs, self.scan, self.placed, self.raw_maps.shape[1:], self.affine
        )
        return organ_shares(self.labels, self.raw_maps, in_cells)

    def show(self, label: str) -> Any:
        """A viewer of the scan with the map of `label`, for a notebook; needs ipyniivue."""
        from hirescam.summary.notebook import show  # it lies above, and is rarely wanted

        return show(self, label)

    def _repr_html_(self) -> str:
        from hirescam.summary.notebook import as_html

        return as_html(self)
