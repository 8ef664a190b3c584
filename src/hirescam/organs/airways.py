"""Airways: the trachea and the main bronchi, as the round tube of air between the lungs."""

import cc3d
import edt
import numpy as np
from jaxtyping import Integer
from scipy import ndimage

from hirescam.organs.body import IN_PLANE
from hirescam.organs.work_grid import STEP_MM, VOXEL_ML, Field, Mask

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
