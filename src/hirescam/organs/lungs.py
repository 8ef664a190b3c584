"""Lungs: body, air in it, airways, and the air that is lung; how the patient lies turned."""

import cc3d
import edt
import numpy as np
from jaxtyping import Integer, UInt8
from scipy import ndimage

from hirescam.organs.work_grid import AIR_HU, IN_PLANE, STEP_MM, VOXEL_ML, Field, Mask

# --- the patient without table and air around, and the air that the body encloses ---


def body(hu: Field, seen: Mask | None = None) -> Mask:
    """The largest thick piece of tissue in what is seen; the air in it is not part of it."""
    seen = np.ones(hu.shape, bool) if seen is None else seen
    tissue = (hu > AIR_HU) & seen
    core = ndimage.binary_erosion(tissue | ~seen, iterations=2, border_value=1) & tissue
    return ndimage.binary_dilation(largest(core), iterations=2, mask=tissue)


def enclosed_air(hu: Field, trunk: Mask, seen: Mask | None = None) -> Mask:
    """Air in axial slices with tissue of the body around it.

    An air space that the field of view cuts is enclosed where the body is met in three of
    the four directions: a lung at a cropped border is, the air around the patient is not.
    """
    seen = np.ones(hu.shape, bool) if seen is None else seen
    spaces, count = ndimage.label((hu < AIR_HU) & seen, IN_PLANE)
    rim = seen & ~ndimage.binary_erosion(seen, IN_PLANE)
    open_spaces = np.zeros(count + 1, bool)
    open_spaces[spaces[rim]] = True
    walls = _walls_met(trunk)
    size = np.bincount(spaces.ravel(), minlength=count + 1)
    met = np.bincount(spaces.ravel(), walls.ravel(), minlength=count + 1) / np.maximum(size, 1)
    inside = met > np.where(open_spaces, 2.0, 3.0)
    inside[0] = False
    return inside[spaces]


def _walls_met(trunk: Mask) -> UInt8[np.ndarray, "down back left"]:
    """How many of the four directions in a slice lead to the body."""
    met = np.zeros(trunk.shape, np.uint8)
    for axis in (1, 2):
        met += np.maximum.accumulate(trunk, axis)
        met += np.flip(np.maximum.accumulate(np.flip(trunk, axis), axis), axis)
    return met


def largest(mask: Mask) -> Mask:
    """The largest piece of a mask; nothing of an empty one."""
    if not mask.any():
        return mask
    return np.asarray(cc3d.largest_k(mask, k=1, connectivity=6) > 0)


# --- the trachea and the main bronchi, as the round tube of air between the lungs ---

Labels = Integer[np.ndarray, "down back left"]

_LUMEN_MM2 = (30.0, 1100.0)  # in one slice, from a main bronchus to a wide trachea's rim
_LENGTH_MM = 24.0
_ROUND = 0.4  # of an axial section's area, how much its largest circle fills
_WALLS = (0.4, 0.55, 0.7, 0.82, 0.9)  # from water to lung: where an airway's wall may show
_LUMEN = 0.55  # between free air and lung
_MOST_ML = 120.0
_ABOVE = 0.4  # of the lungs' height: how far down a trachea may begin


def airways(hu: Field, air: Mask, lungs: Mask, free_hu: float) -> Mask:
    """The trachea and its branches as far as they are apart from the lungs in axial slices.

    `air` is all that the body encloses. Bowel is as round and as long, but begins lower.
    """
    if not lungs.any():
        return np.zeros_like(air)
    heights = np.flatnonzero(lungs.any(axis=(1, 2)))
    lowest_start = int(np.quantile(heights, _ABOVE))
    lung_hu = float(np.median(hu[lungs]))
    limits_hu = [share * lung_hu for share in _WALLS]
    limits_hu.append(free_hu + _LUMEN * (lung_hu - free_hu))
    spaces = [_slim(air & (hu < limit)) for limit in limits_hu]
    best, trachea = max(
        (_most_tracheal(tubes, lowest_start) for tubes in spaces), key=lambda found: found[0]
    )
    if best <= 0:
        return trachea
    for tubes in spaces:
        trachea = trachea | _touching(tubes, trachea)
    return ndimage.binary_dilation(trachea, iterations=2, mask=air)


def _slim(air: Mask) -> Labels:
    """Pieces of air that are no wider than a trachea in any axial slice."""
    spaces, count = ndimage.label(air, IN_PLANE)
    area_mm2 = np.bincount(spaces.ravel(), minlength=count + 1) * STEP_MM**2
    slim = (area_mm2 > _LUMEN_MM2[0]) & (area_mm2 < _LUMEN_MM2[1])
    slim[0] = False
    return cc3d.connected_components(slim[spaces], connectivity=6)


def _most_tracheal(tubes: Labels, lowest_start: int) -> tuple[float, Mask]:
    """The longest and roundest tube that begins high enough, with its score."""
    best, found = 0.0, np.zeros(tubes.shape, bool)
    for label, box in enumerate(cc3d.statistics(tubes)["bounding_boxes"][1:], start=1):
        length_mm = (box[0].stop - box[0].start) * STEP_MM
        if length_mm < _LENGTH_MM or box[0].start > lowest_start:
            continue
        score = length_mm * (_roundness(tubes[box] == label) - _ROUND)
        if score > best:
            best, found = score, tubes == label
    return best, found


def _touching(tubes: Labels, trachea: Mask) -> Mask:
    """The tubes that overlap the trachea, unless they are larger than airways can be."""
    touched = np.unique(tubes[trachea])
    found = np.isin(tubes, touched[touched > 0])
    return found if found.sum() * VOXEL_ML < _MOST_ML else np.zeros_like(found)


def _roundness(tube: Mask) -> float:
    """How much of its axial sections the largest circle in each fills, at the median."""
    apart = (1e3, STEP_MM, STEP_MM)  # slices so far apart that distances stay within them
    radius_mm = edt.edt(np.pad(tube, 1), anisotropy=apart).max(axis=(1, 2))[1:-1]
    area_mm2 = tube.sum(axis=(1, 2)) * STEP_MM**2
    return float(np.median(np.pi * radius_mm**2 / area_mm2))


# --- the air of the body that is lung, and neither airway nor stomach nor bowel ---

Box = tuple[slice, ...]

_PIECE_ML = 10.0  # smaller pieces of air are bowel, gullet, or lung cut off by disease
_LOWEST = 0.95
_GAS_HU = 45.0  # above the air around the patient: what is lower inside is gas, not lung
_POCKET_MM = 6.0
_CORE_ML = 2.0
_RIM = 2  # voxels in which partial volume hides where a pocket ends
_BARE = 0.5  # of a gas pocket's surface: the share that soft tissue, not lung, surrounds
_HIGH = 0.75  # of the lungs' voxels lie above: stomach and bowel do not reach there
_LARGE_ML = 300.0
_VESSEL_HU = -750  # of voxels that a vessel shares with emptiest lung
_VESSELS = 0.01  # share of a lung's inside that vessels take; gas has none


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
        keep[label] = np.median(core) > free_hu + _GAS_HU or _has_vessels(hu[box], piece)
    return _beside_the_largest(keep[labels])


def _has_vessels(hu: Field, piece: Mask) -> bool:
    """Whether vessels run through a large space, however dark it is: then it is lung."""
    if piece.sum() * VOXEL_ML < _LARGE_ML:
        return False
    closed = ndimage.binary_closing(np.pad(piece, 3), iterations=2)
    inner = ndimage.binary_erosion(closed, iterations=3)[3:-3, 3:-3, 3:-3]
    return bool(inner.any()) and float(np.mean(hu[inner] > _VESSEL_HU)) > _VESSELS


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
    """Stomach or bowel that thick slices join to a lung: empty, and not within a lung.

    Air in the pleural space is as empty, but lies higher: it belongs to the lung's region.
    """
    heights = np.nonzero(lungs)[0]
    low = np.quantile(heights, _HIGH) if heights.size else 0
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
        below = np.mean(np.nonzero(pocket)[0] + near[0].start > low) > 0.5
        bare = np.mean(~lungs[near][shell]) > _BARE
        if bare and below and not _has_vessels(hu[near], pocket):
            found[near] |= pocket
    return found


def grown(box: Box, margin: int, shape: tuple[int, ...]) -> Box:
    """A box with a margin around, as far as the array goes."""
    return tuple(
        slice(max(0, side.start - margin), min(size, side.stop + margin))
        for side, size in zip(box, shape, strict=True)
    )


# --- how far a patient lies turned about the long axis, as the affine cannot tell ---

_LEAST_DEG = 7.0  # less is within what bodies are uneven
_MOST_CUT = 0.02  # of the chest at the border of the field of view: more, and it has no shape
_WIDER = 1.1  # a chest is wider than deep


def roll_deg(trunk: Mask, air: Mask, seen: Mask) -> float:
    """The angle from `left` towards `back` at which a chest is widest; 0 if it is small.

    Axes of inertia of the body level with its largest air space. A chest that is cut off or as
    deep as wide counts as not turned.
    """
    level = np.flatnonzero(largest(air).any(axis=(1, 2)))
    if not level.size:
        return 0.0
    chest = (trunk | air)[level]
    rim = ~ndimage.binary_erosion(seen[level], IN_PLANE)
    if (chest & rim).sum() > _MOST_CUT * chest.sum():
        return 0.0
    _, back, left = np.nonzero(chest)
    (deep, both), (_, wide) = np.cov(back, left)
    angle = float(np.rad2deg(np.arctan2(2 * both, wide - deep)) / 2)
    is_wide = wide > _WIDER**2 * deep
    return angle if is_wide and abs(angle) > _LEAST_DEG else 0.0
