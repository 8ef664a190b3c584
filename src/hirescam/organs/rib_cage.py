"""RibCage: the wall that the ribs make, and the space inside it."""

from dataclasses import dataclass

import numpy as np

from hirescam.organs.closing import close
from hirescam.organs.coarse import COARSE_MM, CoarseMask, coarse
from hirescam.organs.sides import BONE_HU
from hirescam.organs.work_grid import Field, Mask

_BETWEEN_RIBS_MM = 14.0  # half of the widest space between two ribs that is bridged


@dataclass(frozen=True, eq=False)
class RibCage:
    """`wall` is bone with the spaces between ribs bridged; `room` is what it encloses."""

    wall: CoarseMask
    room: CoarseMask


def rib_cage(hu: Field, trunk: Mask, lungs: Mask) -> RibCage:
    """Where ribs or lung are met behind, and in two of the three other directions in a slice.

    The front is open where cartilage is not calcified, a side where the scan is cropped.
    """
    lung = coarse(lungs) > 0.5
    bone = coarse((hu > BONE_HU) & trunk) >= 0.25
    wall = close(bone, _BETWEEN_RIBS_MM, COARSE_MM) & ~lung
    bound = wall | lung
    behind = _met(bound, 1, backwards=True)
    others = _met(bound, 1).astype(np.uint8) + _met(bound, 2) + _met(bound, 2, backwards=True)
    return RibCage(wall, (behind & (others >= 2) & ~wall) | lung)


def _met(bound: CoarseMask, axis: int, *, backwards: bool = False) -> CoarseMask:
    """Whether a bound lies at or before each voxel along an axis, or at or after it."""
    if backwards:
        return np.flip(np.maximum.accumulate(np.flip(bound, axis), axis), axis)
    return np.maximum.accumulate(bound, axis)
