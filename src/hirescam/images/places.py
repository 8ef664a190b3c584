"""Places: where classes tend to appear, in words: "sky is above", given in a small TOML file.

    [sky]
    above = 0.6                         # the upper 60 % of the picture

    [road]
    below = 0.4                         # the lower 60 %

    [sign]
    boxes = [[0.0, 0.6, 1.0, 1.0]]      # top, left, bottom, right

Positions are shares of height and width. Several things said of a class are places it may be
in, any of them; a class of which nothing is said may be anywhere. The idea is from Draelos and
Carin, arXiv:2011.08891, section 11: a mask loss where only labels of whole images are known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Real

from hirescam.errors import ReadError
from hirescam.parsing import read_toml


@dataclass(frozen=True)
class Box:
    """A part of every picture; a half-plane is a box that ends at the picture's edges."""

    top: float = 0.0
    left: float = 0.0
    bottom: float = 1.0
    right: float = 1.0


HALF_PLANES = {"above": "bottom", "below": "top", "left_of": "right", "right_of": "left"}
"""The word for a half-plane, and the side of the box that it moves."""

Places = Mapping[str, Sequence[Box]]


def read_places(path: Path, classes: Sequence[str]) -> Places:
    """The places of a TOML file; raises `ReadError` for what is not understood."""
    try:
        table = read_toml(path)
    except (OSError, ValueError) as error:
        raise ReadError(
            f"{path.name} is no TOML file ({error}): see hirescam.images.places"
        ) from error
    unknown = sorted(set(table) - set(classes))
    if unknown:
        raise ReadError(f"{path.name} tells of {unknown[0]!r}, which is none of the classes")
    return {name: _boxes(name, said, path.name) for name, said in table.items()}


def allowed_places(
    places: Places,
    classes: Sequence[str],
    labels: Real[np.ndarray, "photograph label"],
    cells: tuple[int, int],
) -> Bool[np.ndarray, "photograph label row column"]:
    """The cells of a map in which each class may raise its score, photograph by photograph.

    A cell belongs to a place if its centre does. As in PARTITION, a class that a photograph
    does not show is allowed nowhere.
    """
    of_class = np.stack([_cells_of(places.get(name, [Box()]), cells) for name in classes])
    return (labels > 0)[:, :, None, None] & of_class


def _cells_of(boxes: Sequence[Box], cells: tuple[int, int]) -> Bool[np.ndarray, "row column"]:
    down, across = ((np.arange(count) + 0.5) / count for count in cells)
    planes = [
        np.outer(
            (box.top <= down) & (down < box.bottom), (box.left <= across) & (across < box.right)
        )
        for box in boxes
    ]
    return np.any(planes, axis=0)


def _boxes(name: str, said: Any, source: str) -> tuple[Box, ...]:
    try:
        boxes = [Box(*map(float, sides)) for sides in said.pop("boxes", [])]
        boxes += [Box(**{HALF_PLANES[word]: float(at)}) for word, at in said.items()]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ReadError(
            f"{source}, {name}: {error} is not understood: expected "
            f"{', '.join(HALF_PLANES)} = a share, or boxes = [[top, left, bottom, right]]"
        ) from error
    wrong = [box for box in boxes if not (box.top < box.bottom and box.left < box.right)]
    if wrong or not boxes:
        raise ReadError(
            f"{source}, {name}: {wrong[:1] or 'nothing'} holds no place: give shares, 0 to 1"
        )
    return tuple(boxes)
