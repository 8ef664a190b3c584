"""Loader: threads read scans ahead; windowing and turning happen where the network is.

A scan is unpacked straight into the memory from which it goes to the device, as int16, half of
what the network is fed. Nothing here is random: a visit says all, so that the number of threads
changes no bit. Memory is used again, because new memory costs more than unpacking into it.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from math import prod
from time import perf_counter
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int16
from torch import Tensor

from hirescam.ct.packed import side_by_side
from hirescam.ct.prepare import Preparation, windowed
from hirescam.training.augment import turned
from hirescam.training.order import Visit
from hirescam.training.scans import Reading, Scans


class Sample(NamedTuple):
    """One scan as the network is fed it; `x` holds until the next one is asked for."""

    visit: Visit
    x: Float[Tensor, "1 slice channel row column"]
    labels: Float[Tensor, "1 label"]
    allowed: Bool[Tensor, "1 label map_slice map_row map_column"] | None
    waited_s: float
    """How long the device had nothing to do, because the scan was still being read."""


@contextmanager
def loading(
    scans: Scans, visits: Iterable[Visit], *, device: torch.device, threads: int = 1
) -> Iterator[Iterator[Sample]]:
    """The scans of `visits` in their order on `device`; `threads` + 1 are read ahead."""
    memory = _Memory(scans.grid.preparation, device)
    with side_by_side(), ThreadPoolExecutor(threads, "reading") as pool:
        try:
            yield _samples(scans, iter(visits), memory, pool, threads + 1)
        finally:
            pool.shutdown(cancel_futures=True)


def _samples(
    scans: Scans,
    visits: Iterator[Visit],
    memory: "_Memory",
    pool: ThreadPoolExecutor,
    ahead: int,
) -> Iterator[Sample]:
    def read(visit: Visit) -> Reading:
        return scans.read(visit, memory.take())

    coming = deque(pool.submit(read, visit) for visit in islice(visits, ahead))
    while coming:
        began = perf_counter()
        reading = coming.popleft().result()
        sample = memory.fed(reading, waited_s=perf_counter() - began)
        coming.extend(pool.submit(read, visit) for visit in islice(visits, 1))
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

    def fed(self, reading: Reading, *, waited_s: float) -> Sample:
        """A reading on the device, turned and windowed."""
        voxels = turned(self._moved(reading.voxels), reading.visit.turn)
        x = self.input.view(1, -1, self.preparation.group, *voxels.shape[1:])
        windowed(voxels, self.preparation, out=x[0])
        if self.device.type == "cpu":  # elsewhere they may still be on their way
            self.free.append(reading.voxels)
        allowed = None if reading.allowed is None else self._moved(reading.allowed)[None]
        return Sample(reading.visit, x, self._moved(reading.labels)[None], allowed, waited_s)

    def _moved(self, values: Tensor) -> Tensor:
        return values.to(self.device, non_blocking=True)
