"""Sampler: which scan comes when, and how it is flipped and rotated.

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
class FlipRotation:
    """A flip along one axis, or none, and then quarter turns from rows to columns."""

    flipped: int | None = None
    quarter_turns: int = 0


NO_FLIP = FlipRotation()


def draw_flip_rotation(random: np.random.Generator) -> FlipRotation:
    """Half of all scans are flipped along one of three axes, half rotated by 1–3 quarters.

    The published probabilities; the two halves are drawn independently.
    """
    flipped = int(random.integers(SLICES, 0)) if random.random() < 0.5 else None
    quarter_turns = int(random.integers(1, 4)) if random.random() < 0.5 else 0
    return FlipRotation(flipped, quarter_turns)


def flip_rotate(
    values: Shaped[Values, "*before slice row column"], turn: FlipRotation
) -> Shaped[Values, "*before slice new_row new_column"]:
    """Values on a grid, flipped and rotated: a view of an array, or a new tensor."""
    library = torch if isinstance(values, Tensor) else np
    if turn.flipped is not None:
        values = library.flip(values, (turn.flipped,))
    if turn.quarter_turns:
        values = library.rot90(values, turn.quarter_turns, (ROWS, COLUMNS))
    return values


def exchanged_sides(labels: Sequence[str], turn: FlipRotation) -> Int64[np.ndarray, "label"]:
    """For each label, the one whose place it takes in the augmented scan.

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
class SamplerItem:
    """One scan at one moment of training; `seed` decides what else is random about it."""

    index: int
    turn: FlipRotation = NO_FLIP
    seed: int = 0


def epoch_order(scans: int, *, seed: int, epoch: int, scans_per_step: int = 1) -> list[int]:
    """All scans shuffled; the first ones again where they do not fill the last step."""
    shuffled = np.random.default_rng((seed, epoch)).permutation(scans)
    return np.resize(shuffled, -(-scans // scans_per_step) * scans_per_step).tolist()


def sampler_items(
    order: list[int], *, seed: int, epoch: int, augment: bool, start: int = 0, every: int = 1
) -> Iterator[SamplerItem]:
    """The scans of an epoch from position `start`, and from there each `every`-th."""
    for position in range(start, len(order), every):
        random_here = np.random.default_rng((seed, epoch, position))
        turn = draw_flip_rotation(random_here) if augment else NO_FLIP
        yield SamplerItem(order[position], turn, int(random_here.integers(2**31)))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Everything random inside follows from `seed`; the earlier states are restored."""
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
