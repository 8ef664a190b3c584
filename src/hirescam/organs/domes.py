"""Domes: the diaphragm where disease, not the diaphragm, ends the aerated lung."""

import numpy as np
from jaxtyping import Float, Int

from hirescam.organs.coarse import COARSE_MM
from hirescam.organs.coarse_chest import CoarseChest, Floor

_ABOVE_MM = 7.5  # a floor this far over its dome tells nothing of the dome
_RAISED_MM = 10.0  # further than domes are uneven
_ROUNDS = 8
_LEAST = 40  # columns that make a dome


def domes(chest: CoarseChest) -> Floor:
    """The floor of each lung, lowered to its dome where something raises it.

    A dome is the paraboloid through those floors that nothing raises: in turn it is fitted,
    and what lies above it is left out.
    """
    floor = chest.floor.astype(float)
    under_lung = chest.lung.any(axis=0)
    right = np.arange(floor.shape[1]) < chest.middle
    for side in (right, ~right):
        here = under_lung & side
        if np.count_nonzero(here) > _LEAST:
            floor[here] = _lowered(floor[here], *np.nonzero(here))
    return floor


def _lowered(
    floor: Float[np.ndarray, "_"],
    back: Int[np.ndarray, "_"],
    left: Int[np.ndarray, "_"],
) -> Float[np.ndarray, "_"]:
    y, x = back - back.mean(), left - left.mean()
    terms = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)
    dome, free = floor, np.ones(len(floor), bool)
    for _ in range(_ROUNDS):
        dome = terms @ np.linalg.lstsq(terms[free], floor[free])[0]
        free = floor > dome - _ABOVE_MM / COARSE_MM
        if np.count_nonzero(free) < _LEAST:
            return floor
    dome = np.minimum(dome, floor[free].max())
    return np.where(dome - floor > _RAISED_MM / COARSE_MM, dome, floor)
