"""Loader: threads read prepared scans ahead; windowing and turning happen on the device.

A scan is unpacked straight into the memory from which it goes to the device, as int16, half of
what the network is fed. Nothing here is random: a sampler item determines all, so that the
number of threads changes no bit. Memory is reused: new memory costs more than unpacking.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from math import prod
from time import perf_counter
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int8, Int16
from torch import Tensor

from hirescam.ct.packed import read_packed, side_by_side
from hirescam.ct.preparation import Preparation, windowed
from hirescam.regions.allowed import allowed_regions
from hirescam.regions.downsample import read_organs_on_map
from hirescam.training.datasets.cases import Anatomy, Case, possible_organs
from hirescam.training.outside import label_regions, read_inside, replace_outside
from hirescam.training.prepared import Files, Grid, read_prepared_lesions
from hirescam.training.sampler import FlipRotation, SamplerItem, exchanged_sides, flip_rotate


class ReadScan(NamedTuple):
    """One scan as read; its voxels are augmented on the device, everything else already is."""

    item: SamplerItem
    voxels: Int16[Tensor, "slices row column"]
    labels: Float[Tensor, "label"]
    allowed: Bool[Tensor, "label slice map_row map_column"] | None
    lesions: Int8[Tensor, "label slice map_row map_column"] | None = None
    inside: Bool[Tensor, "slices row column"] | None = None
    group: int = -1


@dataclass(frozen=True, eq=False)
class PreparedScans:
    """The prepared scans of one split.

    Absent labels may look nowhere, or where their anatomy would have them lie; unknown ones
    anywhere, so that they cost nothing. With `exchange_sides` a flip from left to right
    exchanges labels of the right for those of the left.

    Where `outside` is not to be kept, or `keep_inside` asks which voxels lie inside, each time
    one of the regions that labels lie in is picked: labels of the others are unknown then, and
    what lies outside it is another scan's, or air. Validation scans are left as they are.
    """

    cases: tuple[Case, ...]
    files: tuple[Files, ...]
    grid: Grid
    anatomy: Anatomy
    absent_by_anatomy: bool = False
    exchange_sides: bool = False
    outside: Literal["keep", "swap", "air"] = "keep"
    keep_inside: bool = False
    groups: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.cases)

    def read(
        self, item: SamplerItem, memory: Int16[Tensor, "slices row column"] | None = None
    ) -> ReadScan:
        """Read the scan that `item` picks, its voxels into `memory` if given."""
        case, files = self.cases[item.index], self.files[item.index]
        order = exchanged_sides(
            list(self.anatomy), item.turn if self.exchange_sides else FlipRotation()
        )
        if memory is None:
            memory = torch.empty(self.grid.preparation.shape, dtype=torch.int16)
        read_packed(files.voxels, out=memory.numpy())
        labels, inside = case.labels, None
        if self.outside != "keep" or self.keep_inside:
            labels, inside = self._one_region(item, memory)
        allowed = None
        if files.organs is not None:
            organs = flip_rotate(
                read_organs_on_map(files.organs, self.grid.map_shape), item.turn
            )
            regions = allowed_regions(self._places(case), np.ascontiguousarray(organs))
            regions |= np.isnan(labels)[:, None, None, None]
            allowed = torch.from_numpy(regions[order])
        lesions = None
        if files.lesions is not None:
            states = flip_rotate(read_prepared_lesions(files.lesions), item.turn).copy()
            states[np.isnan(labels)] = -1
            lesions = torch.from_numpy(states[order])
        return ReadScan(
            item,
            memory,
            torch.from_numpy(labels[order]),
            allowed,
            lesions,
            torch.from_numpy(inside) if self.keep_inside and inside is not None else None,
            self.groups.index(case.group) if case.group in self.groups else -1,
        )

    def _one_region(
        self, item: SamplerItem, memory: Int16[Tensor, "slices row column"]
    ) -> tuple[Float32[np.ndarray, "label"], Bool[np.ndarray, "slices row column"]]:
        """Labels of one region alone; what lies outside it in `memory` is replaced."""
        random = np.random.default_rng((item.seed, 1))
        regions = label_regions(self.anatomy)
        organs, of_region = regions[random.integers(len(regions))]
        path = self.files[item.index].inside
        assert path is not None, "prepared with what lies inside"
        inside = read_inside(path)[organs].any(axis=0)
        if self.outside != "keep":
            other = None
            if self.outside == "swap":
                partner = (item.index + 1 + random.integers(len(self) - 1)) % len(self)
                other = np.empty(self.grid.preparation.shape, np.int16)
                read_packed(self.files[partner].voxels, out=other)
            replace_outside(memory.numpy(), inside, other)
        labels = np.where(of_region, self.cases[item.index].labels, np.float32(np.nan))
        return labels, inside

    def _places(self, case: Case) -> Bool[np.ndarray, "label organ"]:
        if not self.absent_by_anatomy:
            return case.places
        return case.places | (possible_organs(self.anatomy) & (case.labels == 0)[:, None])


class Sample(NamedTuple):
    """One scan as the network is fed it; `x` holds until the next one is asked for."""

    item: SamplerItem
    x: Float[Tensor, "1 slice channel row column"]
    labels: Float[Tensor, "1 label"]
    allowed: Bool[Tensor, "1 label map_slice map_row map_column"] | None
    lesions: Int8[Tensor, "1 label map_slice map_row map_column"] | None
    inside: Bool[Tensor, "1 slices row column"] | None
    group: int
    waited_s: float
    """How long the device had nothing to do, because the scan was still being read."""


@contextmanager
def loading(
    scans: PreparedScans,
    sampler_items: Iterable[SamplerItem],
    *,
    device: torch.device,
    threads: int = 1,
) -> Iterator[Iterator[Sample]]:
    """The scans of `sampler_items` in their order on `device`; `threads` + 1 are read ahead."""
    memory = _Memory(scans.grid.preparation, device)
    with side_by_side(), ThreadPoolExecutor(threads, "reading") as pool:
        try:
            yield _samples(scans, iter(sampler_items), memory, pool, threads + 1)
        finally:
            pool.shutdown(cancel_futures=True)


def _samples(
    scans: PreparedScans,
    sampler_items: Iterator[SamplerItem],
    memory: "_Memory",
    pool: ThreadPoolExecutor,
    ahead: int,
) -> Iterator[Sample]:
    def read(item: SamplerItem) -> ReadScan:
        return scans.read(item, memory.take())

    coming = deque(pool.submit(read, item) for item in islice(sampler_items, ahead))
    while coming:
        began = perf_counter()
        reading = coming.popleft().result()
        sample = memory.fed(reading, waited_s=perf_counter() - began)
        coming.extend(pool.submit(read, item) for item in islice(sampler_items, 1))
        yield sample


class _Memory:
    """What scans are read into, and what the network is fed from."""

    def __init__(self, preparation: Preparation, device: torch.device):
        self.preparation = preparation
        self.device = device
        self.input = torch.empty(prod(preparation.shape), device=device)
        self.free: list[Tensor] = []

    def take(self) -> Int16[Tensor, "slices row column"]:
        """Memory for one scan. For a graphics card it is pinned, and torch uses it again."""
        if self.free:
            return self.free.pop()
        pinned = self.device.type == "cuda"
        return torch.empty(self.preparation.shape, dtype=torch.int16, pin_memory=pinned)

    def fed(self, reading: ReadScan, *, waited_s: float) -> Sample:
        """A scan on the device, flipped, rotated and windowed."""
        voxels = flip_rotate(self._moved(reading.voxels), reading.item.turn)
        x = self.input.view(1, -1, self.preparation.group, *voxels.shape[1:])
        windowed(voxels, self.preparation, out=x[0])
        if self.device.type == "cpu":  # elsewhere they may still be on their way
            self.free.append(reading.voxels)
        inside = None
        if reading.inside is not None:
            inside = flip_rotate(self._moved(reading.inside), reading.item.turn)[None]
        return Sample(
            reading.item,
            x,
            self._moved(reading.labels)[None],
            None if reading.allowed is None else self._moved(reading.allowed)[None],
            None if reading.lesions is None else self._moved(reading.lesions)[None],
            inside,
            reading.group,
            waited_s,
        )

    def _moved(self, values: Tensor) -> Tensor:
        return values.to(self.device, non_blocking=True)
