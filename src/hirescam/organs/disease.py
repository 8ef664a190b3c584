"""Disease: dense tissue in the place of lung, between the aerated lung and the ribs."""

import cc3d
import numpy as np
from jaxtyping import Float
from scipy import ndimage

from hirescam.organs.coarse import COARSE_ML, COARSE_MM, CoarseMask, fine
from hirescam.organs.coarse_chest import CoarseChest, coarse_chest, places
from hirescam.organs.fluid import fluid
from hirescam.organs.lungs import grown
from hirescam.organs.necks import Parts, cut_at_necks
from hirescam.organs.pale import pale
from hirescam.organs.work_grid import Codes, Field, Mask

Shares = Float[np.ndarray, "_"]

_CROSS = ndimage.generate_binary_structure(3, 1)

_AXIS_MM = 22.0  # to either side of the midplane: heart and great vessels all pass here
_ON_AXIS = 0.1  # of a part: less, and it only reaches there
_OVER_LUNG = 0.5  # of a part: less, and it lies under the diaphragm
_PERCHED = 0.6  # of a part on the axis: more, and it rests on lung, unlike heart and vessels
_ONE_SIDED = 0.85  # of a part: less, and it is a mass between the lungs, astride the midplane
_APEX_MM = 16.0
_LEAST_ML = 1.0
_LEAST_HILAR_ML = 30.0  # of a piece that hangs together with heart and vessels alone
_IN_LUNG = 0.25  # least share of a lesion's surface that touches aerated lung


def dense_disease(hu: Field, codes: Codes, trunk: Mask, tubes: Mask, middle: float) -> Mask:
    """Consolidation, masses and fluid that an aerated lung has around it or beside it."""
    if not codes.any():
        return codes > 0
    chest = coarse_chest(hu, codes, trunk, tubes, middle)
    return fine(_lesions(chest) | fluid(chest), hu.shape)


def _lesions(chest: CoarseChest) -> CoarseMask:
    """Thick pieces above the diaphragm that touch lung and are not heart or great vessels.

    What touches heart or vessels over a neck, and what is less dense, is judged by itself.
    """
    down, _, left = places(chest.lung)
    above = chest.soft & (down > chest.top + _APEX_MM / COARSE_MM) & (down <= chest.floor)
    thick = ndimage.binary_opening(above, _CROSS)
    parts = cut_at_necks(thick)
    aside = np.broadcast_to(np.abs(left - chest.middle), thick.shape)
    axis = aside < _AXIS_MM / COARSE_MM
    over_lung = np.flip(np.maximum.accumulate(np.flip(chest.lung, 0), axis=0), 0)
    on_axis, on_lung = _share(axis, parts), _share(over_lung, parts)
    free = (on_axis < _ON_AXIS) & (on_lung > _OVER_LUNG)
    right = _share(np.broadcast_to(left < chest.middle, thick.shape), parts)
    perched = (on_lung > _PERCHED) & (np.maximum(right, 1 - right) > _ONE_SIDED)
    loose = thick & (parts > 0) & (free[parts] | (perched[parts] & over_lung))
    bound = thick & ~loose
    pieces = cc3d.connected_components(bound, connectivity=6)
    light = pale(chest)
    central = bound & ~light & np.isin(pieces, np.unique(pieces[bound & axis]))
    kept_out = central & chest.zone
    rest = ndimage.binary_opening((thick | light) & ~kept_out & ~loose, _CROSS)
    apart = cc3d.connected_components(rest, connectivity=6)
    lone = np.where(loose, parts, 0)
    found = _judged(lone, central, chest) | _judged(apart, central, chest)
    found = ndimage.binary_dilation(
        found, _CROSS, iterations=2, mask=(above | light) & ~kept_out
    )
    to_wall = (down <= chest.floor) & ~chest.wall & ~central  # the room ends short of the ribs
    return ndimage.binary_dilation(found, _CROSS, mask=to_wall | found)


def _judged(pieces: Parts, central: CoarseMask, chest: CoarseChest) -> CoarseMask:
    """Pieces with enough lung around; larger ones where heart and vessels are beside them."""
    found = np.zeros(pieces.shape, bool)
    for label, box in enumerate(ndimage.find_objects(pieces), start=1):
        if box is None:
            continue
        near = grown(box, 2, pieces.shape)
        piece = pieces[near] == label
        shell = ndimage.binary_dilation(piece) & ~piece
        around = shell | piece
        at_wall = ndimage.binary_dilation(shell) & chest.wall[near]
        hilar = (around & central[near]).any() and not at_wall.any()
        least_ml = _LEAST_HILAR_ML if hilar else _LEAST_ML
        in_lung = chest.lung[near][shell].mean() > _IN_LUNG
        if in_lung and piece.sum() * COARSE_ML > least_ml:
            found[near] |= piece
    return found


def _share(place: CoarseMask, parts: Parts) -> Shares:
    """Of each part, the share that lies in a place."""
    size = np.bincount(parts.ravel())
    inside = np.bincount(parts.ravel(), place.ravel())
    return np.asarray(inside / np.maximum(size, 1))
