"""Morphology: components, closing, and cutting of masks at their necks, in millimetres."""

import cc3d
import edt
import fill_voids
import numpy as np
from jaxtyping import Integer, Shaped
from scipy import ndimage, sparse
from skimage.segmentation import watershed

from hirescam.organs.work_grid import (
    COARSE_MM,
    LEFT,
    RIGHT,
    STEP_MM,
    CoarseField,
    CoarseMask,
    Codes,
    Mask,
)

# --- holes and bays of a mask are filled up to a width in millimetres ---

_RADIUS_MM = 10.0  # vessels of the hilum, nodules, small masses at the pleura
REACH = round(2 * _RADIUS_MM / STEP_MM) + 1
"""How many voxels around what was added to a lung closing it again can fill."""


def closed(sides: Codes, keep_out: Mask) -> Codes:
    """Each lung with its holes and bays filled; never over the other lung or `keep_out`."""
    out = sides.copy()
    for code in (RIGHT, LEFT):
        lung = sides == code
        if not lung.any():
            continue
        box = ndimage.find_objects(lung.astype(np.uint8))[0]
        whole = fill_voids.fill(np.ascontiguousarray(close(lung[box], _RADIUS_MM, STEP_MM)))
        here = out[box]
        here[whole & (here == 0) & ~keep_out[box]] = code
    return out


def close(mask: Mask, radius_mm: float, step_mm: float) -> Mask:
    """The mask and every place that no ball of this radius reaches without touching it."""
    margin = int(radius_mm / step_mm) + 2
    step = (step_mm,) * 3
    wide = edt.edtsq(~np.pad(mask, margin), anisotropy=step, parallel=2) <= radius_mm**2
    back = edt.edtsq(wide, anisotropy=step, parallel=2) > radius_mm**2
    return np.asarray(back[(slice(margin, -margin),) * 3] | mask)


# --- a mask cut where it is narrow, so that what merely touches comes apart ---

Parts = Integer[np.ndarray, "down2 back2 left2"]

_LEAST_MM = 7.0  # of the largest ball in a part
_APART = 7  # voxels around a part's middle in which nothing is deeper
_NARROW = 0.85  # of the smaller of two parts' depths: a neck no deeper parts them


def cut_at_necks(mask: CoarseMask) -> Parts:
    """Parts of a mask, numbered from 1, each wider than its passages to the others.

    Ridges of the distance to the border are basins of a watershed; two basins stay one part
    where the way between them is nearly as deep as the shallower one. What holds no ball of
    7 mm is part of nothing.
    """
    depth = ndimage.gaussian_filter(edt.edt(mask, anisotropy=(COARSE_MM,) * 3), 0.7)
    peaks = (ndimage.maximum_filter(depth, _APART) == depth) & mask & (depth > _LEAST_MM)
    seeds = cc3d.connected_components(peaks, connectivity=26)
    if not seeds.any():
        return seeds
    basins = watershed(-depth, seeds, mask=mask)  # type: ignore[no-untyped-call]  # scikit-image has no types
    count = int(basins.max()) + 1
    peak_mm = ndimage.maximum(depth, basins, np.arange(count))
    one, other, neck_mm = _passages(basins, depth)
    wide = neck_mm > _NARROW * np.minimum(peak_mm[one], peak_mm[other])
    links = sparse.coo_array((wide[wide], (one[wide], other[wide])), shape=(count, count))
    _, part = sparse.csgraph.connected_components(links, directed=False)
    return np.asarray(np.unique(part, return_inverse=True)[1][basins])


def _passages(
    basins: Parts, depth: CoarseField
) -> tuple[Shaped[np.ndarray, "_"], Shaped[np.ndarray, "_"], Shaped[np.ndarray, "_"]]:
    """Pairs of basins that meet, and how deep their border is where it is deepest."""
    count = int(basins.max()) + 1
    pairs, depths = [], []
    for axis in range(3):
        here, there = (
            np.moveaxis(basins, axis, 0)[part] for part in (slice(-1), slice(1, None))
        )
        near, far = (np.moveaxis(depth, axis, 0)[part] for part in (slice(-1), slice(1, None)))
        meet = (here != there) & (here > 0) & (there > 0)
        low, high = np.minimum(here, there)[meet], np.maximum(here, there)[meet]
        pairs.append(low.astype(np.int64) * count + high)
        depths.append(np.minimum(near, far)[meet])
    pair, which = np.unique(np.concatenate(pairs), return_inverse=True)
    deepest = np.zeros(len(pair))
    np.maximum.at(deepest, which, np.concatenate(depths))
    return pair // count, pair % count, deepest
