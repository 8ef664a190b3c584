"""Photographs with the classes that each of them shows, and where."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32
from PIL import Image, UnidentifiedImageError

from hirescam.errors import ReadError


@dataclass(frozen=True, eq=False)
class Shown:
    """Where the classes that a photograph shows are; pixels that are not `known` do not count.

    `inside` has a row per class of the collection, in its order; classes may overlap.
    """

    inside: Bool[np.ndarray, "class row column"]
    known: Bool[np.ndarray, "row column"]


@dataclass(frozen=True, eq=False)
class Photograph:
    """One image of a data set; `read_shown` reads its masks when they are wanted."""

    name: str
    path: Path
    labels: Float32[np.ndarray, "class"]
    read_shown: Callable[[], Shown]


@dataclass(frozen=True, eq=False)
class Photographs:
    """A data set: its classes, and its photographs by split (`train` and `val`)."""

    classes: tuple[str, ...]
    splits: Mapping[str, Sequence[Photograph]]
    told: str
    """What a reader of a table must know about where they come from."""


def open_image(path: Path) -> Image.Image:
    """An image file, its header read; raises `ReadError`."""
    try:
        return Image.open(path)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise ReadError(
            f"{path.name} is no image that can be read ({error}): check it"
        ) from error


def pixels(path: Path) -> np.ndarray:
    """The numbers of an image file as they are stored: of a palette image, its indices."""
    with open_image(path) as image:
        try:
            return np.asarray(image)
        except OSError as error:  # the header was whole, the rest is not
            raise ReadError(f"{path.name} is damaged ({error}): get it anew") from error
