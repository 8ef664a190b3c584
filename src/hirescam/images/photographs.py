"""Photographs with the classes that each shows and where, and as a network's input."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Bool, Float, Float32, UInt8
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from hirescam.errors import ReadError


@dataclass(frozen=True, eq=False)
class ClassMasks:
    """Where the classes that a photograph shows are; pixels that are not `known` do not count.

    `inside` has a row per class of the collection, in its order; classes may overlap.
    """

    inside: Bool[np.ndarray, "class row column"]
    known: Bool[np.ndarray, "row column"]


@dataclass(frozen=True, eq=False)
class Photograph:
    """One image of a data set; `read_class_masks` reads its masks when they are wanted."""

    name: str
    path: Path
    labels: Float32[np.ndarray, "class"]
    read_class_masks: Callable[[], ClassMasks]


@dataclass(frozen=True, eq=False)
class Photographs:
    """A data set: its classes, and its photographs by split (`train` and `val`)."""

    classes: tuple[str, ...]
    splits: Mapping[str, Sequence[Photograph]]
    description: str
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


MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's red, green and blue from 0 to 1."""

Prepared = Float[Tensor, "3 row column"]


def network_input(path: Path, side: int) -> Prepared:
    """Resized to `side` × `side` pixels (bicubic), channels standardised as for ImageNet."""
    colours = rgb(path, side).astype(np.float32) / 255
    scaled = (colours - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
    return torch.from_numpy(rearrange(scaled, "row column colour -> colour row column").copy())


def rgb(path: Path, side: int) -> UInt8[np.ndarray, "row column 3"]:
    """The photograph alone, (side, side, 3) bytes."""
    with open_image(path) as image:
        image.draft("RGB", (2 * side, 2 * side))  # JPEG decodes to a fraction of its size
        try:
            return np.asarray(
                image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
            )
        except OSError as error:  # the header was whole, the rest is not
            raise ReadError(f"{path.name} is damaged ({error}): get it anew") from error


def masks_on_grid(photograph: Photograph, side: int) -> ClassMasks:
    """Each class's mask and the known pixels, resized to `side` × `side` (nearest)."""
    shown = photograph.read_class_masks()
    return ClassMasks(_nearest(shown.inside, side), _nearest(shown.known, side))


def in_batches(
    photographs: Sequence[Photograph], side: int, *, batch: int, threads: int
) -> Iterator[Float[Tensor, "batch 3 row column"]]:
    """Inputs in the order given; the next batch is read while one is used."""
    groups = [photographs[at : at + batch] for at in range(0, len(photographs), batch)]
    with ThreadPoolExecutor(threads) as pool:

        def begin(group: Sequence[Photograph]) -> Iterator[Prepared]:
            return pool.map(lambda one: network_input(one.path, side), group)

        coming = begin(groups[0]) if groups else iter(())
        for following in [*groups[1:], ()]:
            ready, coming = coming, begin(following)
            yield torch.stack(list(ready))


def _nearest(mask: Bool[np.ndarray, "... row column"], side: int) -> Bool[np.ndarray, "..."]:
    rows, columns = (
        np.minimum(((np.arange(side) + 0.5) * size / side).astype(int), size - 1)
        for size in mask.shape[-2:]
    )
    return mask[..., rows[:, None], columns]
