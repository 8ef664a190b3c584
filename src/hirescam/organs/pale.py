"""Pale: tissue less dense than blood in the place of lung, also where it lies on the heart."""

import cc3d
import edt
import numpy as np
from scipy import ndimage

from hirescam.organs.coarse import COARSE_ML, COARSE_MM, CoarseField, CoarseMask
from hirescam.organs.coarse_chest import CoarseChest, places
from hirescam.organs.domes import domes
from hirescam.organs.lungs import grown

_CROSS = ndimage.generate_binary_structure(3, 1)

_FAT_HU = -75  # and where fat shares a voxel with something denser
_BLOOD_HU = 26  # of the most anaemic; contrast only adds to it
_RIM_HU = 30  # of a voxel at the rim that is not the heart's
_SMOOTH = 0.8
_DEPTH_MM = 8.0  # thinner are layers around the heart: fat, pericardium, fluid in it
_CORE_ML = 1.5
_REACH = 4  # voxels from what is so deep to the surface
_RIM = 2
_IN_LUNG = 0.25  # least share of the surface that touches lung
_MORE_THAN_BLOOD = 2.0  # times the share that touches blood: less, and it wraps the heart


def pale(chest: CoarseChest) -> CoarseMask:
    """Thick pieces over the diaphragm, between fat and blood in density, that lie in lung.

    Consolidated lung still holds some air, and fluid is lighter than blood. As light are
    fluid in the pericardium and streaks in fat, but these are thin or lie around the heart.
    """
    hu = _smooth(chest)
    down, _, _ = places(chest.lung)
    above = chest.soft & (down > chest.top) & (down <= domes(chest))
    lean = above & (hu > _FAT_HU) & (hu < _BLOOD_HU)
    cores = edt.edt(lean, anisotropy=(COARSE_MM,) * 3) > _DEPTH_MM
    cores = cc3d.dust(cores, threshold=int(_CORE_ML / COARSE_ML), connectivity=6)
    whole = ndimage.binary_dilation(cores, _CROSS, iterations=_REACH, mask=lean)
    pieces = cc3d.connected_components(whole, connectivity=6)
    blood = chest.soft & (hu >= _BLOOD_HU)
    found = np.zeros_like(whole)
    for label, box in enumerate(ndimage.find_objects(pieces), start=1):
        near = grown(box, _RIM, pieces.shape)
        piece = pieces[near] == label
        shell = ndimage.binary_dilation(piece, iterations=_RIM) & ~piece
        in_lung, on_blood = chest.lung[near][shell].mean(), blood[near][shell].mean()
        if in_lung > max(_IN_LUNG, _MORE_THAN_BLOOD * on_blood):
            found[near] |= piece
    rim = above & (chest.hu < _RIM_HU)
    return ndimage.binary_dilation(found, _CROSS, iterations=_RIM, mask=found | rim)


def _smooth(chest: CoarseChest) -> CoarseField:
    """Densities of soft tissue without fat, averaged with their like; others below all."""
    lean = chest.soft & (chest.hu > _FAT_HU)
    weight = ndimage.gaussian_filter(lean.astype(np.float32), _SMOOTH)
    total = ndimage.gaussian_filter(np.where(lean, chest.hu, np.float32(0)), _SMOOTH)
    lowest = np.full_like(total, -1000)
    return np.divide(total, weight, out=lowest, where=lean)
