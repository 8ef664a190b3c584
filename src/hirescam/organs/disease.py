"""Dense disease: consolidation, masses and fluid in the place of lung."""

from dataclasses import dataclass

import cc3d
import edt
import numpy as np
from jaxtyping import Float, Int
from scipy import ndimage
from skimage.morphology import convex_hull_image

from hirescam.organs.lungs import grown
from hirescam.organs.mediastinum import diaphragm
from hirescam.organs.morphology import Parts, close, cut_at_necks
from hirescam.organs.sides import backs
from hirescam.organs.work_grid import (
    BONE_HU,
    COARSE_ML,
    COARSE_MM,
    IN_PLANE,
    CoarseField,
    CoarseMask,
    Codes,
    Field,
    Mask,
    coarse,
    fine,
)

# --- the wall that the ribs make, and the space inside it ---

_BETWEEN_RIBS_MM = 14.0  # half of the widest space between two ribs that is bridged
_UNEVEN = 2  # voxels by which one side of a chest may be narrower than the other


@dataclass(frozen=True, eq=False)
class RibCage:
    """`wall` is bone with the spaces between ribs bridged; `room` is what it encloses."""

    wall: CoarseMask
    room: CoarseMask


def rib_cage(hu: Field, trunk: Mask, lungs: Mask, middle: float) -> RibCage:
    """Where ribs or lung are met behind, and in two of the three other directions in a slice.

    The front is open where cartilage is not calcified, a side where the scan is cropped; so
    what lies over lung, and amid the lungs and their mirror image, counts as inside too.
    """
    lung = coarse(lungs) > 0.5
    bone = coarse((hu > BONE_HU) & trunk) >= 0.25
    wall = close(bone, _BETWEEN_RIBS_MM, COARSE_MM) & ~lung
    bound = wall | lung
    behind = _met(bound, 1, backwards=True)
    others = _met(bound, 1).astype(np.uint8) + _met(bound, 2) + _met(bound, 2, backwards=True)
    amid = _amid_both_sides(lung, middle / 2) & _met(lung, 0, backwards=True)
    inside = (behind & (others >= 2)) | amid
    return RibCage(wall, (inside & ~wall) | lung)


def _amid_both_sides(lung: CoarseMask, middle: float) -> CoarseMask:
    """The convex hull, slice by slice, of the lungs and of their cores mirrored sideways."""
    width = lung.shape[2]
    columns = np.rint(2 * middle - np.arange(width)).astype(int)
    there = (columns >= 0) & (columns < width)
    core = ndimage.binary_erosion(lung, iterations=_UNEVEN)
    both = lung | (core[..., columns.clip(0, width - 1)] & there)
    both = ndimage.binary_opening(both, IN_PLANE)  # a line alone has no hull
    out = np.zeros_like(lung)
    for index in np.flatnonzero(both.any(axis=(1, 2))):
        hull = convex_hull_image(both[index], offset_coordinates=False)  # type: ignore[no-untyped-call]  # scikit-image has no types
        out[index] = hull
    return out


def _met(bound: CoarseMask, axis: int, *, backwards: bool = False) -> CoarseMask:
    """Whether a bound lies at or before each voxel along an axis, or at or after it."""
    if backwards:
        return np.flip(np.maximum.accumulate(np.flip(bound, axis), axis), axis)
    return np.maximum.accumulate(bound, axis)


# --- what the search for disease knows of a chest, on the coarse grid ---

Floor = Float[np.ndarray, "back2 left2"]

# Of the midplane and of the backs of the lungs: where heart and great vessels lie.
_VESSELS_RIGHT_MM, _VESSELS_LEFT_MM, _VESSELS_BACK_MM = 45.0, 50.0, 30.0
_AORTA_LEFT_MM, _AORTA_BACK_MM = 40.0, 14.0
_HEART_BACK_MM, _HEART_DEPTH_MM = 38.0, 15.0
_HEART_TOP = 0.42  # of the way from the lungs' tops to the dome of the diaphragm
_WIDENS_MM = 160.0  # over that way: how fast the left border of a large heart leads outwards


@dataclass(frozen=True, eq=False)
class CoarseChest:
    """Lungs and what is around them; `middle` counts columns, `floor` slices.

    `zone` is where dense tissue that hangs together with the midplane is heart or vessel,
    `soft` all in the rib cage that is neither lung nor airway, `wall` the ribs.
    """

    hu: CoarseField
    lung: CoarseMask
    wall: CoarseMask
    zone: CoarseMask
    soft: CoarseMask
    floor: Floor
    middle: float

    @property
    def top(self) -> int:
        """The first slice with lung."""
        return int(np.argmax(self.lung.any(axis=(1, 2))))

    @property
    def dome(self) -> float:
        """How far down the highest tenth of the diaphragm under the lungs lies."""
        return _dome(self.lung, self.floor)


def coarse_chest(
    hu: Field, codes: Codes, trunk: Mask, tubes: Mask, middle: float
) -> CoarseChest:
    """The chest around lungs that are already told right from left; there must be some."""
    lungs = codes > 0
    lung = coarse(lungs) > 0.5
    floor = coarse(np.broadcast_to(diaphragm(codes, middle), (2, *hu.shape[1:])))[0] / 2
    zone = _heart_and_vessels(lung, floor, middle / 2)
    cage = rib_cage(hu, trunk, lungs, middle)
    before_left_lung = np.flip(np.maximum.accumulate(np.flip(lung, 2), axis=2), 2)
    contrast = cage.wall & zone & before_left_lung  # in heart and vessels, as dense as bone
    return CoarseChest(
        hu=coarse(hu),
        lung=lung,
        wall=cage.wall,
        zone=zone,
        soft=(cage.room | contrast) & ~lung & (coarse(tubes) < 0.3),
        floor=floor,
        middle=middle / 2,
    )


def places(mask: CoarseMask) -> tuple[np.ndarray, ...]:
    """Indices down, back and left, each along its own axis."""
    down, back, left = mask.shape
    return tuple(np.ogrid[:down, :back, :left])


def _heart_and_vessels(lung: CoarseMask, floor: Floor, middle: float) -> CoarseMask:
    """In front of the spine, on both sides of the midplane; lower down further to the left."""
    down, back, left = places(lung)
    rear, top = backs(lung), int(np.argmax(lung.any(axis=(1, 2))))
    near = _VESSELS_LEFT_MM / COARSE_MM
    forward = np.clip(
        (rear - _HEART_BACK_MM / COARSE_MM - back) * COARSE_MM / _HEART_DEPTH_MM, 0, 1
    )
    depth = max(_dome(lung, floor) - top, 1.0)
    below_top = np.maximum((down - top) / depth - _HEART_TOP, 0)
    leftmost = near + forward * below_top * _WIDENS_MM / COARSE_MM
    before_spine = (
        (left > middle - _VESSELS_RIGHT_MM / COARSE_MM)
        & (left < middle + leftmost)
        & (back < rear - _VESSELS_BACK_MM / COARSE_MM)
    )
    aorta = (left > middle) & (left < middle + _AORTA_LEFT_MM / COARSE_MM)
    return before_spine | (aorta & (back < rear - _AORTA_BACK_MM / COARSE_MM))


def _dome(lung: CoarseMask, floor: Floor) -> float:
    return float(np.quantile(floor[lung.any(axis=0)], 0.1))


# --- the diaphragm where disease, not the diaphragm, ends the aerated lung ---

_ABOVE_MM = 7.5  # a floor this far over its dome tells nothing of the dome
_RAISED_MM = 10.0  # further than domes are uneven
_ROUNDS = 8
_LEAST = 40  # columns that make a dome


def fitted_diaphragm(chest: CoarseChest) -> Floor:
    """The floor of each lung, lowered to its dome where something raises it.

    A dome is the paraboloid through those floors that nothing raises: in turn it is fitted,
    and what lies above it is left out.
    """
    floor = chest.floor.astype(float)
    under_lung = chest.lung.any(axis=0)
    right = np.arange(floor.shape[1]) < chest.middle
    for side in (right, ~right):
        here = under_lung & side
        if np.count_nonzero(here) > _LEAST:
            floor[here] = _lowered(floor[here], *np.nonzero(here))
    return floor


def _lowered(
    floor: Float[np.ndarray, "_"],
    back: Int[np.ndarray, "_"],
    left: Int[np.ndarray, "_"],
) -> Float[np.ndarray, "_"]:
    y, x = back - back.mean(), left - left.mean()
    terms = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)
    dome, free = floor, np.ones(len(floor), bool)
    for _ in range(_ROUNDS):
        dome = terms @ np.linalg.lstsq(terms[free], floor[free])[0]
        free = floor > dome - _ABOVE_MM / COARSE_MM
        if np.count_nonzero(free) < _LEAST:
            return floor
    dome = np.minimum(dome, floor[free].max())
    return np.where(dome - floor > _RAISED_MM / COARSE_MM, dome, floor)


# --- tissue less dense than blood in the place of lung, also where it lies on the heart ---

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


def low_density(chest: CoarseChest) -> CoarseMask:
    """Thick pieces over the diaphragm, between fat and blood in density, that lie in lung.

    Consolidated lung still holds some air, and fluid is lighter than blood. As light are
    fluid in the pericardium and streaks in fat, but these are thin or lie around the heart.
    """
    hu = _smooth(chest)
    down, _, _ = places(chest.lung)
    above = chest.soft & (down > chest.top) & (down <= fitted_diaphragm(chest))
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


# --- layers behind the lungs that have sunk to the back of the pleural space ---

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


# --- dense tissue in the place of lung, between the aerated lung and the ribs ---

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
    light = low_density(chest)
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
