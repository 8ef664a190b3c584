"""LabelImage: whole numbers on a grid, each of which stands for one structure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64, Integer, Shaped

from hirescam.errors import VoxelError


@dataclass(frozen=True, eq=False)
class LabelImage:
    """Codes on a grid of their own; `names` are those of the codes that the file itself names.

    `affine` places them as `Volume.affine` does. `whole` is False where a file may leave out
    what holds no structure. `notes` are texts that came with the image.
    """

    codes: Integer[np.ndarray, "slice row column"]
    affine: Float64[np.ndarray, "4 4"]
    names: Mapping[int, str] = field(default_factory=dict)
    whole: bool = True
    notes: tuple[str, ...] = ()


def whole_numbers(
    stored: Shaped[np.ndarray, "slice row column"],
) -> Integer[np.ndarray, "slice row column"]:
    """The same codes as the smallest unsigned integers; `VoxelError` if they are no codes."""
    if stored.dtype.kind not in "biuf":
        raise VoxelError(f"values are {stored.dtype}, expected whole numbers: give a mask")
    lowest, highest = stored.min(initial=0), stored.max(initial=0)
    if not 0 <= lowest <= highest < 1 << 16:  # not so either if any is NaN
        raise VoxelError(
            f"values reach from {lowest:g} to {highest:g}, expected codes from 0 to 65535: "
            f"give a mask, not a scan"
        )
    codes = stored.astype(np.min_scalar_type(int(highest)))
    if stored.dtype.kind == "f" and not np.array_equal(codes, stored):
        raise VoxelError("values are fractions, expected whole numbers: give a mask, not a map")
    return codes
