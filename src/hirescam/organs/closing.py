"""Closing: holes and bays of a mask are filled up to a width in millimetres."""

import edt
import fill_voids
import numpy as np
from scipy import ndimage

from hirescam.organs.sides import LEFT, RIGHT
from hirescam.organs.work_grid import STEP_MM, Codes, Mask

_RADIUS_MM = 10.0  # vessels of the hilum, nodules, small masses at the pleura
REACH = round(2 * _RADIUS_MM / STEP_MM) + 1
"""How many voxels around what was added to a lung closing it again can fill."""


def closed(sides: Codes, keep_out: Mask) -> Codes:
    """Each lung with its holes and bays filled; never over the other lung or `keep_out`."""
    out = sides.copy()
    for code in (RIGHT, LEFT):
        lung = sides == code
        if not lung.any():
            continue
        box = ndimage.find_objects(lung.astype(np.uint8))[0]
        whole = fill_voids.fill(np.ascontiguousarray(close(lung[box], _RADIUS_MM, STEP_MM)))
        here = out[box]
        here[whole & (here == 0) & ~keep_out[box]] = code
    return out


def close(mask: Mask, radius_mm: float, step_mm: float) -> Mask:
    """The mask and every place that no ball of this radius reaches without touching it."""
    margin = int(radius_mm / step_mm) + 2
    step = (step_mm,) * 3
    wide = edt.edtsq(~np.pad(mask, margin), anisotropy=step, parallel=2) <= radius_mm**2
    back = edt.edtsq(wide, anisotropy=step, parallel=2) > radius_mm**2
    return np.asarray(back[(slice(margin, -margin),) * 3] | mask)
