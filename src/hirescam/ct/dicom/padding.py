"""Padding: stored values that say "nothing was measured here", which is air.

DICOM PS3.3, C.7.5.1.1.2: Pixel Padding Value, or all values from it to its Range Limit.
"""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Bool, Shaped

from hirescam.ct.dicom.headers import Header
from hirescam.ct.dicom.planes import Plane
from hirescam.ct.dicom.repairs import Repairs
from hirescam.ct.dicom.values import whole
from hirescam.errors import VoxelError

_HIGHEST_AIR_HU = -800  # lung is denser than this only where it is ill; fat and water always


def padding_range(header: Header) -> tuple[int, int] | None:
    """Lowest and highest stored value that stands for padding."""
    ends = [whole(header, name) for name in ("PixelPaddingValue", "PixelPaddingRangeLimit")]
    stated = [_as_stored(end, header) for end in ends if end is not None]
    return None if ends[0] is None else (min(stated), max(stated))


def is_padding(
    stored: Shaped[np.ndarray, "row column"], header: Header
) -> Bool[np.ndarray, "row column"] | None:
    """Where nothing was measured; None if the header names no padding."""
    found = padding_range(header)
    if found is None:
        return None
    low, high = found
    return (stored >= low) & (stored <= high)


def check_padding(planes: Iterable[Plane], repairs: Repairs) -> None:
    """Refuse padding whose value is also that of tissue, as careless exports leave it."""
    for plane in planes:
        found = padding_range(plane.header)
        if found is None:
            continue
        highest_hu = max(end * plane.slope + plane.intercept for end in found)
        if highest_hu > _HIGHEST_AIR_HU:
            repairs.make(
                f"padding of up to {highest_hu:.0f} HU was taken for air, which also turns "
                f"tissue of that value into air",
                instead_of=VoxelError(
                    f"PixelPaddingValue stands for {highest_hu:.0f} HU, which may be tissue, "
                    f"expected less than {_HIGHEST_AIR_HU} HU: remove it from the headers"
                ),
            )
            return


def _as_stored(value: int, header: Header) -> int:
    """The value with the sign of the pixels; it is often written without."""
    bits = whole(header, "BitsAllocated") or 16
    value %= 1 << bits
    return (
        value - (1 << bits)
        if whole(header, "PixelRepresentation") and value >> (bits - 1)
        else value
    )
