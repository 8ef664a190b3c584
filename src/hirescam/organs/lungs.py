"""Lungs: the air of the body that is lung, and neither airway nor stomach nor bowel."""

import cc3d
import edt
import numpy as np
from scipy import ndimage

from hirescam.organs.body import largest
from hirescam.organs.work_grid import STEP_MM, VOXEL_ML, Field, Mask

Box = tuple[slice, ...]

_PIECE_ML = 10.0  # smaller pieces of air are bowel, gullet, or lung cut off by disease
_LOWEST = 0.95
_GAS_HU = 45.0  # above the air around the patient: what is lower inside is gas, not lung
_POCKET_MM = 6.0
_CORE_ML = 2.0
_RIM = 2  # voxels in which partial volume hides where a pocket ends
_BARE = 0.5  # of a gas pocket's surface: the share that soft tissue, not lung, surrounds


def free_air_hu(hu: Field, air: Mask) -> float:
    """What this scanner calls air: around the patient, foam and blankets set aside."""
    around = hu[~air & (hu < -960) & (hu > max(-1100, hu.min()))]
    return float(np.median(around)) if around.size else -1000.0


def lung_pieces(hu: Field, air: Mask, free_hu: float) -> Mask:
    """The pieces of enclosed air whose depths are denser than air: they hold tissue."""
    pieces = cc3d.dust(air, threshold=int(_PIECE_ML / VOXEL_ML), connectivity=6)
    labels = cc3d.connected_components(pieces, connectivity=6)
    keep = np.zeros(int(labels.max()) + 1, bool)
    for label, box in enumerate(cc3d.statistics(labels)["bounding_boxes"][1:], start=1):
        piece = labels[box] == label
        depth = edt.edt(piece, parallel=2)
        core = hu[box][depth >= 0.5 * depth.max()]
        keep[label] = np.median(core) > free_hu + _GAS_HU
    return _beside_the_largest(keep[labels])


def _beside_the_largest(pieces: Mask) -> Mask:
    """Without what lies lower than nearly all of the largest piece, as bowel, or behind all."""
    if not pieces.any():
        return pieces
    down, back, _ = np.nonzero(largest(pieces))
    deepest, rearmost = np.quantile(down, _LOWEST), back.max()
    labels = cc3d.connected_components(pieces, connectivity=6)
    boxes = cc3d.statistics(labels)["bounding_boxes"][1:]
    beside = (box[0].start <= deepest and box[1].start <= rearmost for box in boxes)
    keep = np.array([False, *beside])
    return keep[labels]


def gas_pockets(hu: Field, lungs: Mask, free_hu: float) -> Mask:
    """Stomach or bowel that thick slices join to a lung: empty, and not within a lung."""
    empty = lungs & (hu < free_hu + _GAS_HU)
    depth = edt.edt(empty, anisotropy=(STEP_MM,) * 3, parallel=2)
    cores = cc3d.dust(depth > _POCKET_MM, threshold=int(_CORE_ML / VOXEL_ML), connectivity=6)
    labels = cc3d.connected_components(cores, connectivity=6)
    found = np.zeros_like(lungs)
    for label, box in enumerate(cc3d.statistics(labels)["bounding_boxes"][1:], start=1):
        near = grown(box, 12, lungs.shape)
        pocket = ndimage.binary_dilation(labels[near] == label, iterations=4, mask=empty[near])
        pocket = ndimage.binary_dilation(pocket, iterations=_RIM, mask=lungs[near])
        rim = ndimage.binary_dilation(pocket)
        shell = ndimage.binary_dilation(rim, iterations=_RIM) & ~rim
        if np.mean(~lungs[near][shell]) > _BARE:
            found[near] |= pocket
    return found


def grown(box: Box, margin: int, shape: tuple[int, ...]) -> Box:
    """A box with a margin around, as far as the array goes."""
    return tuple(
        slice(max(0, side.start - margin), min(size, side.stop + margin))
        for side, size in zip(box, shape, strict=True)
    )
