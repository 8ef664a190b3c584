"""Limits: how large a scan may be, checked on what its header announces, before it is read."""

import math
from collections.abc import Sequence

from hirescam.errors import ReadError, VoxelError

MOST_VOXELS = 1 << 31  # over six times 512 × 512 × 1,200
MOST_INFLATION = 200  # a chest shrinks 2- to 5-fold; one that is nearly all air, 100-fold
_ALWAYS_FINE_BYTES = 64 << 20


def announced_bytes(shape: Sequence[int], voxel_bytes: int) -> int:
    """Bytes of the voxels that a header announces, or `VoxelError` if no scan has so many."""
    voxels = math.prod(shape)
    if voxels > MOST_VOXELS:
        raise VoxelError(
            f"announces {voxels} voxels {tuple(shape)}, expected at most {MOST_VOXELS}: "
            f"check its header, or cut the scan"
        )
    return voxels * voxel_bytes


def check_inflation(announced: int, held: int) -> None:
    """Refuse compressed voxels that would grow as no scan does, before memory is taken."""
    if announced > max(_ALWAYS_FINE_BYTES, MOST_INFLATION * held):
        raise ReadError(
            f"announces {announced} bytes of voxels in a file of {held}, which is over "
            f"{MOST_INFLATION} times as much: it is no scan; if it is, write it uncompressed"
        )
