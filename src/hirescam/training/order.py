"""Order: which scan comes when, turned how; all of it follows from seed, epoch and position.

Nothing random is carried from one step to the next, so that a run continues exactly from any
step, with any number of loader processes.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from hirescam.training.augment import AS_IT_IS, Turn, draw_turn


@dataclass(frozen=True)
class Visit:
    """One scan at one moment of training; `seed` decides what else is random about it."""

    index: int
    turn: Turn = AS_IT_IS
    seed: int = 0


def epoch_order(scans: int, *, seed: int, epoch: int, scans_per_step: int = 1) -> list[int]:
    """All scans shuffled; the first ones again where they do not fill the last step."""
    shuffled = np.random.default_rng((seed, epoch)).permutation(scans)
    return np.resize(shuffled, -(-scans // scans_per_step) * scans_per_step).tolist()


def visits(
    order: list[int], *, seed: int, epoch: int, augment: bool, start: int = 0, every: int = 1
) -> Iterator[Visit]:
    """The scans of an epoch from position `start`, and from there each `every`-th."""
    for position in range(start, len(order), every):
        random_here = np.random.default_rng((seed, epoch, position))
        turn = draw_turn(random_here) if augment else AS_IT_IS
        yield Visit(order[position], turn, int(random_here.integers(2**31)))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Everything random inside follows from `seed`; the states from before are put back."""
    before = random.getstate(), np.random.get_state()  # noqa: NPY002 (a network may use it)
    devices = range(torch.cuda.device_count())
    with torch.random.fork_rng(devices):
        try:
            random.seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            torch.manual_seed(seed)
            yield
        finally:
            random.setstate(before[0])
            np.random.set_state(before[1])  # noqa: NPY002
