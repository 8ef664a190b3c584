"""Augmentation: flips and quarter turns, of a scan and of all that lies in it alike."""

from collections.abc import Sequence
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
