"""Fluid: layers behind the lungs that have sunk to the back of the pleural space."""

import cc3d
import numpy as np
from scipy import ndimage

from hirescam.organs.coarse import COARSE_ML, COARSE_MM, CoarseMask
from hirescam.organs.coarse_chest import CoarseChest, places

_CROSS = ndimage.generate_binary_structure(3, 1)
_SPINE_MM = 22.0
_LAYER_MM = (8.0, 96.0)  # how thick the fluid between back wall and lung may be
_THIN_MM = 1.0  # of a layer's rim, once there is a layer
_LAYER_ML = 6.0
_TISSUE_HU = -60  # coarse voxels that share no air with the lung
_ALIKE_HU = 18.0  # as far from the layer's density is its fluid below the lung's floor
_FLUID_HU = 32.0
_MOST_GROWTH = 2.5
_RECESS_MM = 100.0  # the pleural space reaches no further below the dome
_EDGE = 3  # voxels at the pleura: what shares fluid with lung or fat, and what is thin


def fluid(chest: CoarseChest) -> CoarseMask:
    """Layers between the back wall and the lung in front, and what is alike below them.

    The lung's floor is then the fluid's surface and tells nothing of the diaphragm; density
    tells the fluid from the organs of the belly.
    """
    down, _, left = places(chest.lung)
    aside = np.abs(left - chest.middle) > _SPINE_MM / COARSE_MM
    beside = chest.soft & aside
    layers = ndimage.binary_opening(_before_back_wall(beside, chest, _LAYER_MM[0]), _CROSS)
    layers = cc3d.dust(layers, threshold=int(_LAYER_ML / COARSE_ML), connectivity=6)
    if not layers.any():
        return layers
    inner = layers & (chest.hu > _TISSUE_HU)
    own_hu = float(np.median(chest.hu[inner if inner.any() else layers]))
    if own_hu > _FLUID_HU:
        return np.zeros_like(layers)  # spleen, under a raised diaphragm
    alike = np.abs(chest.hu - own_hu) < _ALIKE_HU
    below = beside & alike & (down < chest.dome + _RECESS_MM / COARSE_MM)
    pool = ndimage.binary_opening(below | layers, _CROSS)
    pool = layers | ndimage.binary_propagation(layers & pool, mask=pool)
    if pool.sum() > _MOST_GROWTH * layers.sum():
        pool = layers  # it has run into the belly
    rim = _before_back_wall(beside, chest, _THIN_MM)
    pool |= ndimage.binary_propagation(pool, mask=pool | rim)
    edge = aside & ~chest.lung & (chest.hu < own_hu + _ALIKE_HU)
    return ndimage.binary_dilation(pool, _CROSS, iterations=_EDGE, mask=edge | pool)


def _before_back_wall(soft: CoarseMask, chest: CoarseChest, least_mm: float) -> CoarseMask:
    """Soft tissue with the wall next behind it and lung next in front, not too far apart."""
    rows = np.arange(soft.shape[1])[:, None]
    last = soft.shape[1]
    front = np.maximum.accumulate(np.where(soft, -1, rows), axis=1)
    back = np.flip(np.minimum.accumulate(np.flip(np.where(soft, last, rows), 1), axis=1), 1)
    lung_in_front = np.take_along_axis(chest.lung, np.maximum(front, 0), 1) & (front >= 0)
    wall_behind = np.take_along_axis(chest.wall, np.minimum(back, last - 1), 1)
    thickness_mm = (back - front - 1) * COARSE_MM
    fits = (thickness_mm >= least_mm) & (thickness_mm <= _LAYER_MM[1]) & (back < last)
    return soft & lung_in_front & wall_behind & fits
