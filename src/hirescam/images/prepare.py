"""Prepare: a photograph as a network's input, and its masks on the same grid."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Bool, Float, UInt8
from PIL import Image
from torch import Tensor

from hirescam.errors import ReadError
from hirescam.images.photographs import Photograph, Shown, open_image

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


def masks_on_grid(photograph: Photograph, side: int) -> Shown:
    """Each class's mask and the known pixels, resized to `side` × `side` (nearest)."""
    shown = photograph.read_shown()
    return Shown(_nearest(shown.inside, side), _nearest(shown.known, side))


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
