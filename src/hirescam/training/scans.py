"""Scans: prepared scans with all that a training step needs to know of them."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int16
from torch import Tensor

from hirescam.ct.packed import read_packed
from hirescam.regions.allowed import allowed_regions
from hirescam.regions.files import read_organs_on_map
from hirescam.training.augment import Turn, exchanged, turned
from hirescam.training.datasets.cases import Anatomy, Case, possible_organs
from hirescam.training.order import Visit
from hirescam.training.prepared import Files, Grid


class Reading(NamedTuple):
    """One scan as it was read: its voxels still to be turned as `visit` says, all else is."""

    visit: Visit
    voxels: Int16[Tensor, "slices row column"]
    labels: Float[Tensor, "label"]
    allowed: Bool[Tensor, "label slice map_row map_column"] | None


@dataclass(frozen=True, eq=False)
class Scans:
    """The prepared scans of one split.

    Absent labels may look nowhere, or where their anatomy would have them lie; unknown ones
    anywhere, so that they cost nothing. With `exchange_sides` a flip from left to right
    exchanges labels of the right for those of the left.
    """

    cases: tuple[Case, ...]
    files: tuple[Files, ...]
    grid: Grid
    anatomy: Anatomy
    absent_by_anatomy: bool = False
    exchange_sides: bool = False

    def __len__(self) -> int:
        return len(self.cases)

    def read(
        self, visit: Visit, memory: Int16[Tensor, "slices row column"] | None = None
    ) -> Reading:
        """Read the scan that `visit` picks, its voxels into `memory` if given."""
        case, files = self.cases[visit.index], self.files[visit.index]
        order = exchanged(list(self.anatomy), visit.turn if self.exchange_sides else Turn())
        if memory is None:
            memory = torch.empty(self.grid.preparation.shape, dtype=torch.int16)
        read_packed(files.voxels, out=memory.numpy())
        allowed = None
        if files.organs is not None:
            organs = turned(read_organs_on_map(files.organs, self.grid.map_shape), visit.turn)
            regions = allowed_regions(self._places(case), np.ascontiguousarray(organs))
            regions |= np.isnan(case.labels)[:, None, None, None]
            allowed = torch.from_numpy(regions[order])
        return Reading(visit, memory, torch.from_numpy(case.labels[order]), allowed)

    def _places(self, case: Case) -> Bool[np.ndarray, "label organ"]:
        if not self.absent_by_anatomy:
            return case.places
        return case.places | (possible_organs(self.anatomy) & (case.labels == 0)[:, None])
