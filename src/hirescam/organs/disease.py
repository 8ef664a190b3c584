"""Disease: dense tissue in the place of lung, between the aerated lung and the ribs."""

from dataclasses import dataclass

import cc3d
import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from hirescam.organs.coarse import COARSE_ML, COARSE_MM, CoarseField, CoarseMask, coarse, fine
from hirescam.organs.lungs import grown
from hirescam.organs.rib_cage import RibCage, rib_cage
from hirescam.organs.sides import LEFT
from hirescam.organs.thorax import diaphragm
from hirescam.organs.work_grid import Codes, Field, Mask

_CROSS = ndimage.generate_binary_structure(3, 1)

# Of the midplane and of the backs of the lungs: where heart and great vessels lie.
_VESSELS_RIGHT_MM, _VESSELS_LEFT_MM, _VESSELS_BACK_MM = 45.0, 50.0, 30.0
_HEART_BACK_MM, _HEART_DEPTH_MM = 50.0, 30.0
_HEART_LEFT = 0.88  # of the left lung's reach
_HEART_TOP = 0.42  # of the way from the lungs' tops to the dome of the diaphragm
_SPINE_MM = 22.0
_APEX_MM = 16.0

_LEAST_ML = 1.0
_IN_LUNG = 0.25  # least share of a lesion's surface that touches aerated lung
_LAYER_MM = (8.0, 96.0)  # how thick the fluid between back wall and lung may be
_LAYER_ML = 6.0
_ALIKE_HU = 18.0  # as far from the layer's density is its fluid below the lung's floor
_MOST_GROWTH = 2.5
_RECESS_MM = 100.0  # the pleural space reaches no further below the dome


@dataclass(frozen=True, eq=False)
class _Chest:
    """What the search needs, all on the coarse grid; `middle` counts its columns."""

    hu: CoarseField
    lung: CoarseMask
    soft: CoarseMask
    cage: RibCage
    floor: Float[np.ndarray, "back2 left2"]
    middle: float

    @property
    def places(self) -> tuple[np.ndarray, ...]:
        down, back, left = self.lung.shape
        return tuple(np.ogrid[:down, :back, :left])


def dense_disease(hu: Field, codes: Codes, trunk: Mask, tubes: Mask, middle: float) -> Mask:
    """Consolidation, masses and fluid that an aerated lung has around it or beside it."""
    lungs = codes > 0
    if not lungs.any():
        return np.zeros(hu.shape, bool)
    cage = rib_cage(hu, trunk, lungs)
    lung = coarse(lungs) > 0.5
    chest = _Chest(
        hu=coarse(hu),
        lung=lung,
        soft=cage.room & ~lung & (coarse(tubes) < 0.3),
        cage=cage,
        floor=coarse(np.broadcast_to(diaphragm(codes, middle), (2, *hu.shape[1:])))[0] / 2,
        middle=middle / 2,
    )
    zone = _heart_and_vessels(chest, coarse(codes == LEFT) > 0.5)
    found = _lesions(chest, zone) | _fluid(chest)
    return fine(found, hu.shape)


def _heart_and_vessels(chest: _Chest, left_lung: CoarseMask) -> CoarseMask:
    """Where what is dense is taken for the mediastinum, if it hangs together with it."""
    down, back, left = chest.places
    rear = _rear(chest.lung)
    top = np.flatnonzero(chest.lung.any(axis=(1, 2)))[0]
    dome = _dome(chest)
    columns = np.nonzero(left_lung)[2]
    reach = np.quantile(columns, 0.98) - chest.middle if columns.size else 0.0
    near = _VESSELS_LEFT_MM / COARSE_MM
    forward = np.clip(
        (rear - _HEART_BACK_MM / COARSE_MM - back) * COARSE_MM / _HEART_DEPTH_MM, 0, 1
    )
    low = down > top + _HEART_TOP * (dome - top)
    leftmost = near + low * forward * max(0.0, _HEART_LEFT * reach - near)
    return (
        (left > chest.middle - _VESSELS_RIGHT_MM / COARSE_MM)
        & (left < chest.middle + leftmost)
        & (back < rear - _VESSELS_BACK_MM / COARSE_MM)
    )


def _lesions(chest: _Chest, zone: CoarseMask) -> CoarseMask:
    """Thick pieces above the diaphragm that touch lung and are not heart or great vessels."""
    down, _, left = chest.places
    top = np.flatnonzero(chest.lung.any(axis=(1, 2)))[0]
    above = chest.soft & (down > top + _APEX_MM / COARSE_MM) & (down <= chest.floor)
    thick = ndimage.binary_opening(above, _CROSS)
    pieces = cc3d.connected_components(thick, connectivity=6)
    axis = np.abs(left - chest.middle) < _SPINE_MM / COARSE_MM
    central = thick & np.isin(pieces, np.unique(pieces[thick & axis]))
    kept_out = central & zone
    pieces = cc3d.connected_components(
        ndimage.binary_opening(thick & ~kept_out, _CROSS), connectivity=6
    )
    found = np.zeros_like(thick)
    for label, box in enumerate(cc3d.statistics(pieces)["bounding_boxes"][1:], start=1):
        near = grown(box, 2, pieces.shape)
        piece = pieces[near] == label
        shell = ndimage.binary_dilation(piece) & ~piece
        if piece.sum() * COARSE_ML > _LEAST_ML and chest.lung[near][shell].mean() > _IN_LUNG:
            found[near] |= piece
    return ndimage.binary_dilation(found, _CROSS, iterations=2, mask=above & ~kept_out)


def _fluid(chest: _Chest) -> CoarseMask:
    """Layers between the back wall and the lung in front, and what is alike below them.

    The lung's floor is then the fluid's surface and tells nothing of the diaphragm; density
    tells the fluid from the organs of the belly.
    """
    down, _, left = chest.places
    beside = chest.soft & (np.abs(left - chest.middle) > _SPINE_MM / COARSE_MM)
    layers = ndimage.binary_opening(_before_back_wall(beside, chest), _CROSS)
    layers = cc3d.dust(layers, threshold=int(_LAYER_ML / COARSE_ML), connectivity=6)
    if not layers.any():
        return layers
    inner = layers & (chest.hu > -60)
    own_hu = float(np.median(chest.hu[inner if inner.any() else layers]))
    alike = np.abs(chest.hu - own_hu) < _ALIKE_HU
    below = beside & alike & (down < _dome(chest) + _RECESS_MM / COARSE_MM)
    pool = ndimage.binary_opening(below | layers, _CROSS)
    pool = ndimage.binary_propagation(layers & pool, mask=pool)
    if pool.sum() > _MOST_GROWTH * layers.sum():
        return layers  # it has run into the belly
    return layers | ndimage.binary_dilation(pool, _CROSS, mask=beside)


def _before_back_wall(soft: CoarseMask, chest: _Chest) -> CoarseMask:
    """Soft tissue with the wall next behind it and lung next in front, not too far apart."""
    rows = np.arange(soft.shape[1])[:, None]
    last = soft.shape[1]
    front = np.maximum.accumulate(np.where(soft, -1, rows), axis=1)
    back = np.flip(np.minimum.accumulate(np.flip(np.where(soft, last, rows), 1), axis=1), 1)
    lung_in_front = np.take_along_axis(chest.lung, np.maximum(front, 0), 1) & (front >= 0)
    wall_behind = np.take_along_axis(chest.cage.wall, np.minimum(back, last - 1), 1)
    thickness_mm = (back - front - 1) * COARSE_MM
    least, most = _LAYER_MM
    fits = (thickness_mm >= least) & (thickness_mm <= most) & (back < last)
    return soft & lung_in_front & wall_behind & fits


def _dome(chest: _Chest) -> float:
    """How far down the highest tenth of the diaphragm under the lungs lies."""
    return float(np.quantile(chest.floor[chest.lung.any(axis=0)], 0.1))


def _rear(lung: CoarseMask) -> float:
    """How far back the lungs reach, in most slices."""
    rows: Bool[np.ndarray, "_ _"] = np.asarray(lung.any(axis=2))
    rows = rows[rows.any(axis=1)]
    return float(np.quantile(rows.shape[1] - 1 - np.argmax(rows[:, ::-1], axis=1), 0.8))
