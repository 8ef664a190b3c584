"""Posture: how far a patient lies turned about the long axis, as the affine cannot tell."""

import numpy as np
from scipy import ndimage

from hirescam.organs.body import IN_PLANE, largest
from hirescam.organs.work_grid import Mask

_LEAST_DEG = 7.0  # less is within what bodies are uneven
_MOST_CUT = 0.02  # of the chest at the border of the field of view: more, and it has no shape
_WIDER = 1.1  # a chest is wider than deep


def turned_deg(trunk: Mask, air: Mask, seen: Mask) -> float:
    """The angle from `left` towards `back` at which a chest is widest; 0 if it is small.

    Axes of inertia of the body level with its largest air space. A chest that is cut off or as
    deep as wide counts as not turned.
    """
    level = np.flatnonzero(largest(air).any(axis=(1, 2)))
    if not level.size:
        return 0.0
    chest = (trunk | air)[level]
    rim = ~ndimage.binary_erosion(seen[level], IN_PLANE)
    if (chest & rim).sum() > _MOST_CUT * chest.sum():
        return 0.0
    _, back, left = np.nonzero(chest)
    (deep, both), (_, wide) = np.cov(back, left)
    angle = float(np.rad2deg(np.arctan2(2 * both, wide - deep)) / 2)
    is_wide = wide > _WIDER**2 * deep
    return angle if is_wide and abs(angle) > _LEAST_DEG else 0.0
