"""Disease: dense tissue in the place of lung, between the aerated lung and the ribs."""

from dataclasses import dataclass

import cc3d
import numpy as np
from jaxtyping import Float
from scipy import ndimage

from hirescam.organs.coarse import COARSE_ML, COARSE_MM, CoarseField, CoarseMask, coarse, fine
from hirescam.organs.lungs import grown
from hirescam.organs.rib_cage import rib_cage
from hirescam.organs.sides import backs
from hirescam.organs.thorax import diaphragm
from hirescam.organs.work_grid import Codes, Field, Mask

Floor = Float[np.ndarray, "back2 left2"]

_CROSS = ndimage.generate_binary_structure(3, 1)

# Of the midplane and of the backs of the lungs: where heart and great vessels lie.
_VESSELS_RIGHT_MM, _VESSELS_LEFT_MM, _VESSELS_BACK_MM = 45.0, 50.0, 30.0
_HEART_BACK_MM, _HEART_DEPTH_MM = 38.0, 15.0
_HEART_TOP = 0.42  # of the way from the lungs' tops to the dome of the diaphragm
_SPINE_MM = 22.0
_APEX_MM = 16.0

_LEAST_ML = 1.0
_LEAST_HILAR_ML = 30.0  # of a piece that hangs together with heart and vessels alone
_IN_LUNG = 0.25  # least share of a lesion's surface that touches aerated lung
_LAYER_MM = (8.0, 96.0)  # how thick the fluid between back wall and lung may be
_LAYER_ML = 6.0
_ALIKE_HU = 18.0  # as far from the layer's density is its fluid below the lung's floor
_FLUID_HU = 32.0
_MOST_GROWTH = 2.5
_RECESS_MM = 100.0  # the pleural space reaches no further below the dome


@dataclass(frozen=True, eq=False)
class _Chest:
    """What the search needs, on the coarse grid; `middle` counts its columns.

    `zone` is where dense tissue that hangs together with the midplane is heart or vessel,
    `soft` all in the rib cage that is neither lung nor airway.
    """

    hu: CoarseField
    lung: CoarseMask
    wall: CoarseMask
    zone: CoarseMask
    soft: CoarseMask
    floor: Floor
    middle: float


def dense_disease(hu: Field, codes: Codes, trunk: Mask, tubes: Mask, middle: float) -> Mask:
    """Consolidation, masses and fluid that an aerated lung has around it or beside it."""
    lungs = codes > 0
    if not lungs.any():
        return lungs
    lung = coarse(lungs) > 0.5
    floor = coarse(np.broadcast_to(diaphragm(codes, middle), (2, *hu.shape[1:])))[0] / 2
    zone = _heart_and_vessels(lung, floor, middle / 2)
    cage = rib_cage(hu, trunk, lungs)
    before_left_lung = np.flip(np.maximum.accumulate(np.flip(lung, 2), axis=2), 2)
    contrast = cage.wall & zone & before_left_lung  # in heart and vessels, as dense as bone
    chest = _Chest(
        hu=coarse(hu),
        lung=lung,
        wall=cage.wall,
        zone=zone,
        soft=(cage.room | contrast) & ~lung & (coarse(tubes) < 0.3),
        floor=floor,
        middle=middle / 2,
    )
    return fine(_lesions(chest) | _fluid(chest), hu.shape)


def _heart_and_vessels(lung: CoarseMask, floor: Floor, middle: float) -> CoarseMask:
    """In front of the spine, on both sides of the midplane; lower down to the left wall."""
    down, back, left = _places(lung)
    rear, top, dome = backs(lung), _top(lung), _dome(lung, floor)
    near = _VESSELS_LEFT_MM / COARSE_MM
    forward = np.clip(
        (rear - _HEART_BACK_MM / COARSE_MM - back) * COARSE_MM / _HEART_DEPTH_MM, 0, 1
    )
    low = down > top + _HEART_TOP * (dome - top)
    leftmost = near + low * forward * left.size
    return (
        (left > middle - _VESSELS_RIGHT_MM / COARSE_MM)
        & (left < middle + leftmost)
        & (back < rear - _VESSELS_BACK_MM / COARSE_MM)
    )


def _lesions(chest: _Chest) -> CoarseMask:
    """Thick pieces above the diaphragm that touch lung and are not heart or great vessels."""
    down, _, left = _places(chest.lung)
    above = (
        chest.soft & (down > _top(chest.lung) + _APEX_MM / COARSE_MM) & (down <= chest.floor)
    )
    thick = ndimage.binary_opening(above, _CROSS)
    pieces = cc3d.connected_components(thick, connectivity=6)
    axis = np.abs(left - chest.middle) < _SPINE_MM / COARSE_MM
    central = thick & np.isin(pieces, np.unique(pieces[thick & axis]))
    kept_out = central & chest.zone
    pieces = cc3d.connected_components(
        ndimage.binary_opening(thick & ~kept_out, _CROSS), connectivity=6
    )
    found = np.zeros_like(thick)
    for label, box in enumerate(cc3d.statistics(pieces)["bounding_boxes"][1:], start=1):
        near = grown(box, 2, pieces.shape)
        piece = pieces[near] == label
        shell = ndimage.binary_dilation(piece) & ~piece
        at_wall = ndimage.binary_dilation(shell) & chest.wall[near]
        hilar = (piece & central[near]).any() and not at_wall.any()
        least_ml = _LEAST_HILAR_ML if hilar else _LEAST_ML
        in_lung = chest.lung[near][shell].mean() > _IN_LUNG
        if in_lung and piece.sum() * COARSE_ML > least_ml:
            found[near] |= piece
    return ndimage.binary_dilation(found, _CROSS, iterations=2, mask=above & ~kept_out)


def _fluid(chest: _Chest) -> CoarseMask:
    """Layers between the back wall and the lung in front, and what is alike below them.

    The lung's floor is then the fluid's surface and tells nothing of the diaphragm; density
    tells the fluid from the organs of the belly.
    """
    down, _, left = _places(chest.lung)
    beside = chest.soft & (np.abs(left - chest.middle) > _SPINE_MM / COARSE_MM)
    layers = ndimage.binary_opening(_before_back_wall(beside, chest), _CROSS)
    layers = cc3d.dust(layers, threshold=int(_LAYER_ML / COARSE_ML), connectivity=6)
    if not layers.any():
        return layers
    inner = layers & (chest.hu > -60)
    own_hu = float(np.median(chest.hu[inner if inner.any() else layers]))
    if own_hu > _FLUID_HU:
        return np.zeros_like(layers)  # spleen, under a raised diaphragm
    alike = np.abs(chest.hu - own_hu) < _ALIKE_HU
    below = beside & alike & (down < _dome(chest.lung, chest.floor) + _RECESS_MM / COARSE_MM)
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
    wall_behind = np.take_along_axis(chest.wall, np.minimum(back, last - 1), 1)
    thickness_mm = (back - front - 1) * COARSE_MM
    least, most = _LAYER_MM
    fits = (thickness_mm >= least) & (thickness_mm <= most) & (back < last)
    return soft & lung_in_front & wall_behind & fits


def _dome(lung: CoarseMask, floor: Floor) -> float:
    """How far down the highest tenth of the diaphragm under the lungs lies."""
    return float(np.quantile(floor[lung.any(axis=0)], 0.1))


def _top(lung: CoarseMask) -> int:
    return int(np.argmax(lung.any(axis=(1, 2))))


def _places(mask: CoarseMask) -> tuple[np.ndarray, ...]:
    down, back, left = mask.shape
    return tuple(np.ogrid[:down, :back, :left])
