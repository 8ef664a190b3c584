"""Organ masks on the grid of a feature map.

Each way of down-sampling is one small matrix per axis, so the four of the paper's table 6, and
ours, are rows of a table. The published ways see the map as `count` equal blocks of the input;
`centre` looks where each cell's receptive field is centred, which in AxialNet lies up to 93
pixels elsewhere.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool
from scipy import ndimage

from hirescam.atomic import atomic_write
from hirescam.ct.grid import Cells, Weights, cell_weights, nearest_weights, resample
from hirescam.ct.preparation import Preparation, place_codes
from hirescam.ct.volume import Volume
from hirescam.errors import ReadError
from hirescam.organs.masks import HEURISTIC_PLACES, ORGANS, HeuristicPlaces, OrganMasks

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


def heuristic_organs_on_map(
    shape: tuple[int, int, int], *, places: HeuristicPlaces = "centre_half"
) -> OrgansOnMap:
    """Where organs usually lie, for a scan in which none could be found.

    The right half of the map, its left half, and between them for the mediastinum the centre
    half (as printed) or four of six columns (as coded). They overlap. A column of cells counts
    when at least half of it lies inside: of six columns, both rules take the middle four.
    """
    edges = np.arange(shape[2] + 1) / shape[2]
    where = np.zeros((len(ORGANS), shape[2]), bool)
    for organ, sixths in enumerate(HEURISTIC_PLACES[places].values()):
        first, last = np.clip(0.5 + np.array(sixths) / 6, 0, 1)
        inside = np.minimum(edges[1:], last) - np.maximum(edges[:-1], first)
        where[organ] = inside * shape[2] > 0.5 - 1e-6
    return np.broadcast_to(where[:, None, None, :], (len(ORGANS), *shape)).copy()


# --- on disk: three bits a cell, found again by a hash ---

MADE_BY = 1
"""Raised whenever the same ingredients come to give other regions."""


def regions_key(
    source: str,
    preparation: Preparation,
    cells: tuple[Cells, Cells, Cells],
    **options: Any,
) -> str:
    """The name of what `organs_on_map` makes of organ masks, which `source` tells apart.

    `source` is a hash of the masks, or of the scan and how they are found in it; `options` are
    those of `organs_on_map`.
    """
    ingredients = {
        "made_by": MADE_BY,
        "source": source,
        "preparation": preparation.model_dump(mode="json"),
        "cells": [asdict(axis) for axis in cells],
        "options": options,
    }
    return hashlib.sha256(json.dumps(ingredients, sort_keys=True).encode()).hexdigest()


def save_organs_on_map(organs: OrgansOnMap, path: Path) -> Path:
    """Write regions as packed bits. Raises `WriteError`; nothing half-written is left."""
    with atomic_write(path) as file:
        np.save(file, np.packbits(organs), allow_pickle=False)
    return path


def read_organs_on_map(path: Path, shape: tuple[int, int, int]) -> OrgansOnMap:
    """Regions on a map of `shape`. Raises `ReadError` if they are another map's or damaged."""
    whole = (len(ORGANS), *shape)
    try:
        bits = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ReadError(f"{path.name} holds no regions ({error}): delete it") from error
    if bits.dtype != np.uint8 or bits.shape != (-(-prod(whole) // 8),):
        raise ReadError(f"{path.name} holds regions of another map than {shape}: delete it")
    return np.unpackbits(bits, count=prod(whole)).reshape(whole).astype(bool)


def cached_organs_on_map(
    folder: Path, key: str, shape: tuple[int, int, int], make: Callable[[], OrgansOnMap]
) -> OrgansOnMap:
    """Regions from `folder`, made and kept there if they are missing."""
    path = folder / f"{key}.npy"
    if not path.exists():
        save_organs_on_map(make(), path)
    return read_organs_on_map(path, shape)
