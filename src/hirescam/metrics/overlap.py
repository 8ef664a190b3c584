"""Overlap: how well a mask agrees with a reference mask, in share and in millimetres."""

from dataclasses import dataclass
from math import nan

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from hirescam.errors import ShapeError

Mask = Bool[np.ndarray, "slice row column"]


@dataclass(frozen=True)
class Overlap:
    """Agreement of a mask with its reference; NaN where nothing can be said.

    `hd95_mm` is the larger of both directions' 95th percentile of distances from each voxel of
    one surface to the other surface.
    """

    dice: float
    sensitivity: float
    precision: float
    hd95_mm: float


def overlap(
    found: Mask,
    reference: Bool[np.ndarray, "_ _ _"],
    spacing_mm: tuple[float, float, float],
) -> Overlap:
    """Agreement of `found` with `reference` on a grid of that spacing.

    A surface is made of voxels with a face that looks outside; the border of the grid is no
    outside, so that a scan's field of view makes no surface. Raises `ShapeError` for masks of
    different grids.
    """
    if found.shape != reference.shape:
        raise ShapeError(
            f"a mask of {found.shape} voxels cannot be compared with one of {reference.shape}: "
            f"bring both onto one grid"
        )
    sizes = int(found.sum()), int(reference.sum())
    both = int((found & reference).sum())
    return Overlap(
        dice=_share(2 * both, sum(sizes)),
        sensitivity=_share(both, sizes[1]),
        precision=_share(both, sizes[0]),
        hd95_mm=_hd95_mm(found, reference, spacing_mm) if all(sizes) else nan,
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else nan


def _hd95_mm(found: Mask, reference: Mask, spacing_mm: tuple[float, float, float]) -> float:
    surfaces = [_surface(mask) for mask in (found, reference)]
    if not all(surface.any() for surface in surfaces):
        return 0.0 if np.array_equal(found, reference) else nan
    box = ndimage.find_objects((surfaces[0] | surfaces[1]).view(np.uint8))[0]
    first, second = (surface[box] for surface in surfaces)
    distances = (
        _distances_mm(*pair, spacing_mm) for pair in ((first, second), (second, first))
    )
    return float(max(np.percentile(each, 95) for each in distances))


def _surface(mask: Mask) -> Mask:
    return mask & ~ndimage.binary_erosion(mask, border_value=1)


def _distances_mm(
    start: Mask, end: Mask, spacing_mm: tuple[float, float, float]
) -> Float[np.ndarray, "voxel"]:
    return ndimage.distance_transform_edt(~end, sampling=spacing_mm)[start]
