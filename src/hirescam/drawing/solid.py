"""Solid: masks as shaded bodies on white paper, for print."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Shaped, UInt8
from matplotlib.colors import to_rgb

from hirescam.drawing.place_bar import COLOURS
from hirescam.drawing.render import render
from hirescam.organs.masks import OrganMasks

_FILLS = 0.5  # of the front: what covers it hides all that lies behind
_LUNGS = ("right_lung", "left_lung")


def solid(
    codes: Shaped[np.ndarray, "down back left"],
    extent_mm: Float[np.ndarray, "3"],
    colours: Sequence[str],
) -> UInt8[np.ndarray, "pixel pixel 3"]:
    """Codes in reading order that fill `extent_mm`; code i has colour i − 1.

    Seen from the front, a little from above and from the left; the front half of what fills
    the front is cut away.
    """
    down_mm, back_mm, left_mm = extent_mm.tolist()
    picture = render(
        codes,
        (down_mm, back_mm, left_mm),
        np.array([to_rgb(colour) for colour in colours]),
        cut=bool((codes[:, 0] > 0).mean() > _FILLS),
    )
    empty = (picture == 0).all(axis=-1)
    return np.where(empty[..., None], np.uint8(255), picture)


def lung_solid(
    masks: OrganMasks, extent_mm: Float[np.ndarray, "3"]
) -> UInt8[np.ndarray, "pixel pixel 3"]:
    """Both lungs of masks whose scan faces the reader, each in its colour."""
    codes = np.zeros(masks.codes.shape, np.uint8)
    for code, organ in enumerate(_LUNGS, start=1):
        codes[masks.mask(organ)] = code
    return solid(codes, extent_mm, [COLOURS[organ] for organ in _LUNGS])
