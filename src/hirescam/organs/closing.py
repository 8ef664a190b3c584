"""Closing: what is dense in a lung or lies between it and the ribs belongs to that lung."""

import edt
import fill_voids
import numpy as np
from scipy import ndimage

from hirescam.organs.sides import LEFT, RIGHT
from hirescam.organs.work_grid import STEP_MM, Codes, Mask

_RADIUS_MM = 10.0  # vessels of the hilum, nodules, masses at the pleura


def closed(sides: Codes, keep_out: Mask) -> Codes:
    """Each lung with its holes and bays filled; never over the other lung or `keep_out`."""
    out = sides.copy()
    for code in (RIGHT, LEFT):
        lung = sides == code
        if not lung.any():
            continue
        box = ndimage.find_objects(lung.astype(np.uint8))[0]
        whole = fill_voids.fill(np.ascontiguousarray(_close(lung[box], _RADIUS_MM)))
        here = out[box]
        here[whole & (here == 0) & ~keep_out[box]] = code
    return out


def _close(mask: Mask, radius_mm: float) -> Mask:
    margin = int(radius_mm / STEP_MM) + 2
    apart = {"anisotropy": (STEP_MM,) * 3, "parallel": 2}
    wide = edt.edt(~np.pad(mask, margin), **apart) <= radius_mm
    back = edt.edt(wide, **apart) > radius_mm
    return back[(slice(margin, -margin),) * 3] | mask
