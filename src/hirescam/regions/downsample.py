"""Organ masks on the grid of a feature map.

Each way of down-sampling is one small matrix per axis, so the four of the paper's table 6, and
ours, are rows of a table. The published ways see the map as `count` equal blocks of the input;
`centre` looks where each cell's receptive field is centred, which in AxialNet lies up to 93
pixels elsewhere.
"""

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
from jaxtyping import Bool
from scipy import ndimage

from hirescam.ct.grid import Cells, Weights, cell_weights, nearest_weights, resample
from hirescam.ct.preparation import Preparation, place_codes
from hirescam.ct.volume import Volume
from hirescam.organs.masks import ORGANS, OrganMasks

Downsampling = Literal["centre", "nearest", "area", "trilinear"]
Mask = Bool[np.ndarray, "slice row column"]
OrgansOnMap = Bool[np.ndarray, "organ slice row column"]


def _centre(cells: Cells, size: int) -> Weights:
    return nearest_weights(cells.centres, size)


def _nearest(cells: Cells, size: int) -> Weights:
    """As published: the corner of each block, not its centre."""
    corners = np.floor(np.arange(cells.count) * (size / cells.count))
    return nearest_weights(corners, size)


def _area(cells: Cells, size: int) -> Weights:
    """The mean over each block."""
    edges = np.arange(cells.count + 1) * (size / cells.count)
    samples = np.arange(size)
    first, last = np.floor(edges[:-1, None]), np.ceil(edges[1:, None])
    inside = (samples >= first) & (samples < last)
    return inside / inside.sum(axis=1, keepdims=True)


def _trilinear(cells: Cells, size: int) -> Weights:
    """Between the samples on both sides of each block's centre, as align_corners=False."""
    return cell_weights((np.arange(cells.count) + 0.5) * (size / cells.count) - 0.5, size)


DOWNSAMPLINGS: dict[Downsampling, Callable[[Cells, int], Weights]] = {
    "centre": _centre,
    "nearest": _nearest,
    "area": _area,
    "trilinear": _trilinear,
}


def organs_on_map(
    organs: OrganMasks,
    preparation: Preparation,
    cells: tuple[Cells, Cells, Cells],
    *,
    downsampling: Downsampling = "centre",
    fraction: float = 0.0,
    dilated: bool = False,
) -> OrgansOnMap:
    """Which cells of a map, along slices, rows and columns, lie in each of `ORGANS`.

    A cell counts when more than `fraction` of what is sampled for it is the organ; 0, as
    published, means any of it. `dilated` adds all neighbours of each cell.
    """
    weigh = DOWNSAMPLINGS[downsampling]
    weights = [weigh(axis, size) for axis, size in zip(cells, preparation.shape, strict=True)]
    masks = _placed_boxes if organs.boxes else _placed_masks
    shares = np.stack(
        [resample(mask, weights, outside=0.0) for mask in masks(organs, preparation)]
    )
    found = shares > max(fraction, 1e-6)  # a millionth: what float32 makes of none
    if dilated:
        cube = np.ones((1, 3, 3, 3), bool)
        found = ndimage.binary_dilation(found, cube)
    return found


def _placed_masks(organs: OrganMasks, preparation: Preparation) -> Iterator[Mask]:
    """Each of `ORGANS` on the network's grid; empty where it was not looked for."""
    codes = Volume(organs.codes.astype(np.int16), organs.affine)
    placed = place_codes(codes, preparation).voxels
    for organ in ORGANS:
        code = organs.organs.index(organ) + 1 if organ in organs.organs else -1
        yield placed == code


def _placed_boxes(organs: OrganMasks, preparation: Preparation) -> Iterator[Mask]:
    """The same of heuristic masks, which may overlap."""
    for organ in ORGANS:
        mask = Volume(organs.mask(organ).astype(np.int16), organs.affine)
        yield place_codes(mask, preparation).voxels > 0


def halves_on_map(
    shape: tuple[int, int, int], *, centre_columns: Literal["published", "paper"] = "paper"
) -> OrgansOnMap:
    """Where organs usually lie, for a scan in which none could be found.

    The right half of the map, its left half, and between them for the mediastinum the middle
    half (`paper`) or all but a sixth on each side (`published`, the code). They overlap.
    """
    columns = (np.arange(shape[2]) + 0.5) / shape[2]
    margin = {"published": 1 / 6, "paper": 1 / 4}[centre_columns]
    where = np.stack([columns < 0.5, columns > 0.5, np.abs(columns - 0.5) < 0.5 - margin])
    return np.broadcast_to(where[:, None, None, :], (len(ORGANS), *shape)).copy()
