"""Scans: prepared scans as a network is trained on them, each turned as its visit says."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.utils.data import Dataset

from hirescam.ct.prepare import network_input
from hirescam.ct.volume import Volume
from hirescam.regions.allowed import allowed_regions
from hirescam.regions.files import read_organs_on_map
from hirescam.training.augment import Turn, exchanged, turned
from hirescam.training.datasets.cases import Anatomy, Case, possible_organs
from hirescam.training.order import Visit
from hirescam.training.prepared import Files, Grid


class Sample(NamedTuple):
    """One scan as the network sees it; `seed` decides what else is random in its step."""

    x: Float[Tensor, "slice channel row column"]
    labels: Float[Tensor, "label"]
    allowed: Bool[Tensor, "label map_slice map_row map_column"] | None
    seed: int


@dataclass(frozen=True, eq=False)
class Scans(Dataset[Sample]):
    """The prepared scans of one split; a visit picks and turns one.

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

    def __getitem__(self, visit: Visit) -> Sample:
        case, files = self.cases[visit.index], self.files[visit.index]
        order = exchanged(list(self.anatomy), visit.turn if self.exchange_sides else Turn())
        voxels = turned(np.load(files.voxels, mmap_mode="c"), visit.turn)
        x = network_input(
            Volume(np.ascontiguousarray(voxels), np.eye(4)), self.grid.preparation
        )
        allowed = None
        if files.organs is not None:
            organs = turned(read_organs_on_map(files.organs, self.grid.map_shape), visit.turn)
            regions = allowed_regions(self._places(case), np.ascontiguousarray(organs))
            regions |= np.isnan(case.labels)[:, None, None, None]
            allowed = torch.from_numpy(regions[order])
        return Sample(x, torch.from_numpy(case.labels[order]), allowed, visit.seed)

    def _places(self, case: Case) -> Bool[np.ndarray, "label organ"]:
        if not self.absent_by_anatomy:
            return case.places
        return case.places | (possible_organs(self.anatomy) & (case.labels == 0)[:, None])
