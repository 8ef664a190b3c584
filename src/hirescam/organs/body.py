"""Body: the patient without table and air around, and the air that the body encloses."""

import cc3d
import numpy as np
from jaxtyping import UInt8
from scipy import ndimage

from hirescam.organs.work_grid import Field, Mask

AIR_HU = -350  # between aerated lung and soft tissue, where partial volume is half and half
IN_PLANE = ndimage.generate_binary_structure(3, 1) & (np.arange(3) == 1)[:, None, None]


def body(hu: Field, seen: Mask | None = None) -> Mask:
    """The largest thick piece of tissue in what is seen; the air in it is not part of it."""
    seen = np.ones(hu.shape, bool) if seen is None else seen
    tissue = (hu > AIR_HU) & seen
    core = ndimage.binary_erosion(tissue | ~seen, iterations=2, border_value=1) & tissue
    return ndimage.binary_dilation(largest(core), iterations=2, mask=tissue)


def enclosed_air(hu: Field, trunk: Mask, seen: Mask | None = None) -> Mask:
    """Air in axial slices with tissue of the body around it.

    An air space that the field of view cuts is enclosed where the body is met in three of
    the four directions: a lung at a cropped border is, the air around the patient is not.
    """
    seen = np.ones(hu.shape, bool) if seen is None else seen
    spaces, count = ndimage.label((hu < AIR_HU) & seen, IN_PLANE)
    rim = seen & ~ndimage.binary_erosion(seen, IN_PLANE)
    open_spaces = np.zeros(count + 1, bool)
    open_spaces[spaces[rim]] = True
    walls = _walls_met(trunk)
    size = np.bincount(spaces.ravel(), minlength=count + 1)
    met = np.bincount(spaces.ravel(), walls.ravel(), minlength=count + 1) / np.maximum(size, 1)
    inside = met > np.where(open_spaces, 2.0, 3.0)
    inside[0] = False
    return inside[spaces]


def _walls_met(trunk: Mask) -> UInt8[np.ndarray, "down back left"]:
    """How many of the four directions in a slice lead to the body."""
    met = np.zeros(trunk.shape, np.uint8)
    for axis in (1, 2):
        met += np.maximum.accumulate(trunk, axis)
        met += np.flip(np.maximum.accumulate(np.flip(trunk, axis), axis), axis)
    return met


def largest(mask: Mask) -> Mask:
    """The largest piece of a mask; nothing of an empty one."""
    if not mask.any():
        return mask
    return np.asarray(cc3d.largest_k(mask, k=1, connectivity=6) > 0)
