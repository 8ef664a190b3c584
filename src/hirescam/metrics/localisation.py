"""Localisation: whether a map, or a mask, lies where it should: pointing game, mass, overlap.

OrganIoU has a file of its own.
"""

from dataclasses import dataclass
from math import nan

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy import ndimage
from torch import Tensor

from hirescam.errors import ShapeError


def pointing_game(
    maps: Float[Tensor, "batch target *space"], regions: Bool[Tensor, "batch target *space"]
) -> Float[Tensor, "batch target"]:
    """1 where the map's highest value lies in the region, else 0; NaN where that is empty.

    Several highest values count by their share. Zhang et al., "Top-down neural attention by
    excitation backprop", IJCV 2018.
    """
    values, inside = maps.detach().flatten(2), regions.flatten(2)
    peak = values == values.amax(dim=2, keepdim=True)
    hits = (peak & inside).sum(dim=2) / peak.sum(dim=2)
    return _where_any(inside, hits)


def mass_accuracy(
    maps: Float[Tensor, "batch target *space"], regions: Bool[Tensor, "batch target *space"]
) -> Float[Tensor, "batch target"]:
    """Share of the map's positive mass that lies in the region; NaN where there is none.

    Arras et al., "CLEVR-XAI: a benchmark dataset for the ground truth evaluation of neural
    network explanations", Information Fusion 81, 2022, equation 1.
    """
    mass, inside = maps.detach().double().clamp(min=0).flatten(2), regions.flatten(2)
    return _where_any(inside, (mass * inside).sum(dim=2) / mass.sum(dim=2))


def rank_accuracy(
    maps: Float[Tensor, "batch target *space"], regions: Bool[Tensor, "batch target *space"]
) -> Float[Tensor, "batch target"]:
    """Of the highest values, as many as the region has places: the share that lies in it.

    NaN where the region is empty. Arras et al. 2022, equation 2.
    """
    values, inside = maps.detach().flatten(2), regions.flatten(2)
    wanted = inside.sum(dim=2)
    last = values.sort(dim=2, descending=True).values
    last = last.gather(2, (wanted - 1).clamp(min=0)[..., None])
    above, tied = values > last, values == last
    share = (wanted - above.sum(dim=2)) / tied.sum(dim=2)
    found = (above & inside).sum(dim=2) + share * (tied & inside).sum(dim=2)
    return _where_any(inside, found / wanted)


def _where_any(
    inside: Bool[Tensor, "batch target place"], found: Float[Tensor, "batch target"]
) -> Float[Tensor, "batch target"]:
    return torch.where(inside.any(dim=2), found, torch.nan)


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
