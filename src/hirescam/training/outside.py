"""Outside: which voxels lie in the organs of a label, and what training puts elsewhere.

A network that is trained on scans whose outside comes from another scan, a random one at every
step, cannot use what lies there: a marker, a scanner's texture and a table tell nothing of the
label. What is lost is every legitimate sign outside: of the heart's failure in the lungs, for a
label of the heart. Labels of one region are trained at a time; the others are unknown then.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int8, Int16
from scipy import ndimage

from hirescam.atomic import atomic_write
from hirescam.ct.preparation import Preparation, place_codes
from hirescam.ct.volume import AIR_HU, Volume
from hirescam.organs.masks import ORGANS, OrganMasks
from hirescam.training.datasets.cases import Anatomy, possible_organs

InsideOrgans = Bool[np.ndarray, "organ slices row column"]
_MADE_BY = 1
"""Raised whenever the same organs come to give other voxels."""


def inside_organs(
    organs: OrganMasks, preparation: Preparation, *, margin_mm: float
) -> InsideOrgans:
    """Which voxels of the network's input lie within `margin_mm` of each organ.

    Of a scan without any organ all voxels do: nothing of it is replaced.
    """
    found = np.stack(
        [
            place_codes(
                Volume(organs.mask(organ).astype(np.int16), organs.affine), preparation
            ).voxels
            > 0
            if organ in organs.organs
            else np.zeros(preparation.shape, bool)
            for organ in ORGANS
        ]
    )
    if not found.any():
        return np.ones_like(found)
    return np.stack([_grown(mask, preparation.spacing_mm, margin_mm) for mask in found])


def save_inside(
    inside: InsideOrgans, folder: Path, source: str, preparation: Preparation, margin_mm: float
) -> Path:
    """Keep what `inside_organs` gave under a name that says what made it."""
    path = inside_path(folder, source, preparation, margin_mm)
    with atomic_write(path) as file:
        np.savez_compressed(file, bits=np.packbits(inside), shape=np.array(inside.shape))
    return path


def inside_path(folder: Path, source: str, preparation: Preparation, margin_mm: float) -> Path:
    """Where it is kept; `source` is a hash of the organ masks, or of how they are made."""
    ingredients = [_MADE_BY, source, preparation.model_dump(mode="json"), margin_mm]
    name = hashlib.sha256(json.dumps(ingredients, sort_keys=True).encode()).hexdigest()
    return folder / f"{name}.npz"


def read_inside(path: Path) -> InsideOrgans:
    """What `save_inside` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        shape = tuple(stored["shape"].tolist())
        bits = np.unpackbits(stored["bits"], count=int(np.prod(shape)))
    return bits.reshape(shape).astype(bool)


def label_regions(
    anatomy: Anatomy,
) -> tuple[tuple[Bool[np.ndarray, "organ"], Bool[np.ndarray, "label"]], ...]:
    """The organs of each region that some labels share, and those labels."""
    possible = possible_organs(anatomy)
    rows = np.unique(possible, axis=0)
    return tuple((row, (possible == row).all(axis=1)) for row in rows)


def replace_outside(
    voxels: Int16[np.ndarray, "slices row column"],
    inside: Bool[np.ndarray, "slices row column"],
    other: Int16[np.ndarray, "slices row column"] | None,
) -> None:
    """Put the voxels of another scan, or air, in place of those that are not inside."""
    np.copyto(voxels, AIR_HU if other is None else other, where=~inside, casting="unsafe")


def lesion_cells(
    masks: Mapping[str, Bool[np.ndarray, "slice row column"] | None],
    to_input: np.ndarray,
    first: tuple[float, ...],
    step: tuple[float, ...],
    shape: tuple[int, int, int],
) -> Int8[np.ndarray, "label map_slice map_row map_column"]:
    """Of each label and cell of a map: 1 a lesion, 0 none, −1 beside a lesion or unknown.

    A cell holds a lesion if any of its voxels lies nearest to that cell's centre. `to_input` is
    the affine from the masks' voxels to the network's input, on which cells begin at `first`
    and follow at `step`. A label without a mask (None) is unknown everywhere; so is one whose
    lesion lies beyond all cells.
    """
    states = np.zeros((len(masks), *shape), np.int8)
    for state, mask in zip(states, masks.values(), strict=True):
        if mask is None:
            state[...] = -1
            continue
        where = np.argwhere(mask)
        if not len(where):
            continue
        on_input = where @ to_input[:3, :3].T + to_input[:3, 3]
        cells = np.rint((on_input - np.array(first)) / np.array(step)).astype(int)
        cells = cells[((cells >= 0) & (cells < np.array(shape))).all(axis=1)]
        if not len(cells):
            state[...] = -1
            continue
        hit = np.zeros(shape, bool)
        hit[tuple(cells.T)] = True
        state[ndimage.binary_dilation(hit, np.ones((3, 3, 3), bool))] = -1
        state[hit] = 1
    return states


def _grown(
    mask: Bool[np.ndarray, "slices row column"], spacing_mm: tuple[float, ...], margin_mm: float
) -> Bool[np.ndarray, "slices row column"]:
    if not mask.any() or margin_mm == 0:
        return mask
    return ndimage.distance_transform_edt(~mask, sampling=spacing_mm) <= margin_mm
