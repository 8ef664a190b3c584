"""RibCage: the wall that the ribs make, and the space inside it."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.morphology import convex_hull_image

from hirescam.organs.body import IN_PLANE
from hirescam.organs.closing import close
from hirescam.organs.coarse import COARSE_MM, CoarseMask, coarse
from hirescam.organs.sides import BONE_HU
from hirescam.organs.work_grid import Field, Mask

_BETWEEN_RIBS_MM = 14.0  # half of the widest space between two ribs that is bridged
_UNEVEN = 2  # voxels by which one side of a chest may be narrower than the other


@dataclass(frozen=True, eq=False)
class RibCage:
    """`wall` is bone with the spaces between ribs bridged; `room` is what it encloses."""

    wall: CoarseMask
    room: CoarseMask


def rib_cage(hu: Field, trunk: Mask, lungs: Mask, middle: float) -> RibCage:
    """Where ribs or lung are met behind, and in two of the three other directions in a slice.

    The front is open where cartilage is not calcified, a side where the scan is cropped; so
    what lies over lung, and amid the lungs and their mirror image, counts as inside too.
    """
    lung = coarse(lungs) > 0.5
    bone = coarse((hu > BONE_HU) & trunk) >= 0.25
    wall = close(bone, _BETWEEN_RIBS_MM, COARSE_MM) & ~lung
    bound = wall | lung
    behind = _met(bound, 1, backwards=True)
    others = _met(bound, 1).astype(np.uint8) + _met(bound, 2) + _met(bound, 2, backwards=True)
    amid = _amid_both_sides(lung, middle / 2) & _met(lung, 0, backwards=True)
    inside = (behind & (others >= 2)) | amid
    return RibCage(wall, (inside & ~wall) | lung)


def _amid_both_sides(lung: CoarseMask, middle: float) -> CoarseMask:
    """The convex hull, slice by slice, of the lungs and of their cores mirrored sideways."""
    width = lung.shape[2]
    columns = np.rint(2 * middle - np.arange(width)).astype(int)
    there = (columns >= 0) & (columns < width)
    core = ndimage.binary_erosion(lung, iterations=_UNEVEN)
    both = lung | (core[..., columns.clip(0, width - 1)] & there)
    both = ndimage.binary_opening(both, IN_PLANE)  # a line alone has no hull
    out = np.zeros_like(lung)
    for index in np.flatnonzero(both.any(axis=(1, 2))):
        hull = convex_hull_image(both[index], offset_coordinates=False)  # type: ignore[no-untyped-call]  # scikit-image has no types
        out[index] = hull
    return out


def _met(bound: CoarseMask, axis: int, *, backwards: bool = False) -> CoarseMask:
    """Whether a bound lies at or before each voxel along an axis, or at or after it."""
    if backwards:
        return np.flip(np.maximum.accumulate(np.flip(bound, axis), axis), axis)
    return np.maximum.accumulate(bound, axis)
