"""Sampler: which scan comes when, and how it is flipped and turned.

All of it follows from seed, epoch and position. Nothing random is carried from one step to the
next, so that a run continues exactly from any step, with any number of loader processes.
"""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

SLICES, ROWS, COLUMNS = -3, -2, -1
Values = TypeVar("Values", np.ndarray, Tensor)
_OPPOSITE = {"right": "left", "left": "right"}


@dataclass(frozen=True)
class Turn:
    """A flip along one axis, or none, and then quarter turns from rows to columns."""

    flipped: int | None = None
    quarters: int = 0


AS_IT_IS = Turn()


def draw_turn(random: np.random.Generator) -> Turn:
    """Half of all scans are flipped along one of three axes, half are turned by 1–3 quarters.

    The published probabilities; the two halves are drawn independently.
    """
    flipped = int(random.integers(SLICES, 0)) if random.random() < 0.5 else None
    quarters = int(random.integers(1, 4)) if random.random() < 0.5 else 0
    return Turn(flipped, quarters)


def turned(
    values: Shaped[Values, "*before slice row column"], turn: Turn
) -> Shaped[Values, "*before slice new_row new_column"]:
    """Values on a grid, flipped and turned: a view of an array, or a new tensor."""
    library = torch if isinstance(values, Tensor) else np
    if turn.flipped is not None:
        values = library.flip(values, (turn.flipped,))
    if turn.quarters:
        values = library.rot90(values, turn.quarters, (ROWS, COLUMNS))
    return values


def exchanged(labels: Sequence[str], turn: Turn) -> Int64[np.ndarray, "label"]:
    """For each label, the one whose place it takes in the turned scan.

    A flip from left to right makes a mirrored patient, whose right lung is a left one: labels
    whose names differ in that word alone change places. The published code has no sided
    labels at its output and exchanges none.
    """
    order = np.arange(len(labels))
    if turn.flipped == COLUMNS:
        index = {label: at for at, label in enumerate(labels)}
        order = np.array([index.get(_mirrored(label), index[label]) for label in labels])
    return order


def _mirrored(label: str) -> str:
    return "_".join(_OPPOSITE.get(word, word) for word in label.split("_"))


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
