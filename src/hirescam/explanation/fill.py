"""Fill: a hidden part of a scan continued smoothly from what lies around it.

Known values are pulled up a pyramid of ever coarser grids until every gap is covered, and
pushed down again into the gaps. Gortler et al., "The Lumigraph", SIGGRAPH 1996.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

_AROUND = 16  # voxels of the surroundings that are looked at

Grid = Float[Tensor, "1 1 slice row column"]


def filled_from_around(
    voxels: Shaped[np.ndarray, "slice row column"],
    hidden: Bool[np.ndarray, "slice row column"],
    *,
    rim: int = 0,
) -> Shaped[np.ndarray, "slice row column"]:
    """The same voxels, with those that are `hidden` made up from their surroundings.

    So are those up to `rim` voxels from them.
    """
    filled = voxels.copy()
    if not hidden.any():
        return filled
    (found,) = ndimage.find_objects(hidden.view(np.uint8))
    box = tuple(
        slice(max(side.start - _AROUND - rim, 0), side.stop + _AROUND + rim) for side in found
    )
    gap = ndimage.binary_dilation(hidden[box], iterations=rim) if rim else hidden[box]
    if gap.all():
        return filled
    values = torch.from_numpy(voxels[box].astype(np.float32))[None, None]
    made_up = _without_gaps(values, torch.from_numpy(~gap)[None, None])[0, 0].numpy()[gap]
    filled[box][gap] = np.rint(made_up) if voxels.dtype.kind == "i" else made_up
    return filled


def _without_gaps(values: Grid, known: Bool[Tensor, "1 1 slice row column"]) -> Grid:
    """`values` where they are known; elsewhere those of the next coarser grid, made finer."""
    if known.all():
        return values
    halves = [min(2, size) for size in values.shape[2:]]
    weight = F.avg_pool3d(known.float(), halves, ceil_mode=True)
    sums = F.avg_pool3d(torch.where(known, values, 0.0), halves, ceil_mode=True)
    means = torch.where(weight > 0, sums / weight.clamp(min=1e-6), 0.0)
    coarser = _without_gaps(means, weight > 0)
    finer = F.interpolate(coarser, values.shape[2:], mode="trilinear", align_corners=False)
    return torch.where(known, values, finer)
