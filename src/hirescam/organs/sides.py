"""Sides: which of the lungs' air is right and which is left, also where the lungs touch."""

import cc3d
import edt
import numpy as np
from jaxtyping import Float
from scipy import ndimage
from skimage.segmentation import watershed

from hirescam.organs.work_grid import (
    BONE_HU,
    LEFT,
    RIGHT,
    STEP_MM,
    VOXEL_ML,
    Codes,
    Field,
    Mask,
)

_SPINE_MM = (18.0, 8.0)  # vertebra and spinous process reach further back than an aorta
_LAMINA_MM = 18.0  # in front of the backs of the lungs
_LASTING = 0.06
_ASTRIDE = 0.12  # of a piece's air across the midplane: more, and it holds both lungs
_PIECE_ML = 20.0
_THINNER = ((-350, 0), (-500, 2), (-600, 3), (-650, 4), (-700, 6), (-750, 8), (-750, 12))
_MOSTLY = 0.75  # of a piece of dense lung
_JUNCTION_MM = 40.0  # around the midplane, where lungs that touch are parted along the ridge


def midplane(hu: Field, trunk: Mask, lungs: Mask, trachea: Mask) -> float:
    """Where the spine lies along `left`: bone behind the lungs that stays from slice to slice.

    Contrast in the aorta is as dense as bone but lies further forward. Without a spine in view,
    the trachea; without that, the middle of the body.
    """
    if not trunk.any():
        return hu.shape[2] / 2
    if lungs.any():
        level = np.flatnonzero(lungs.any(axis=(1, 2)))
        bone = (hu[level] > BONE_HU) & trunk[level]
        lasting = np.asarray(np.mean(bone, axis=0, dtype=np.float32))
        lasting[: max(0, round(backs(lungs) - _LAMINA_MM / STEP_MM))] = 0
        spine = ndimage.gaussian_filter(lasting, np.divide(_SPINE_MM, STEP_MM))
        if spine.max() > _LASTING:
            return float(np.unravel_index(spine.argmax(), spine.shape)[1])
    place = np.nonzero((trachea if trachea.any() else trunk).any(axis=(0, 1)))[0]
    return float(place.min() + place.max()) / 2


def backs(lungs: Mask) -> float:
    """How far back the lungs reach, in most slices."""
    rows = np.asarray(lungs.any(axis=2))
    rows = rows[rows.any(axis=1)]
    return float(np.quantile(rows.shape[1] - 1 - np.argmax(rows[:, ::-1], axis=1), 0.8))


def sides(hu: Field, lungs: Mask, middle: float) -> Codes:
    """1 in the right lung, 2 in the left.

    Air is thinned until no piece reaches far across the midplane; the pieces then grow back
    together, least dense air first, and meet at the membranes between the lungs. A lung that
    no thinning parts stays one, on the side of its larger share.
    """
    out = np.zeros(lungs.shape, np.uint8)
    if lungs.any():
        box = ndimage.find_objects(lungs.astype(np.uint8))[0]
        out[box] = _sides(hu[box], lungs[box], middle - box[2].start)
    return out


def _sides(hu: Field, lungs: Mask, middle: float) -> Codes:
    for limit, radius_mm in _THINNER:
        air = lungs & (hu < limit)
        if radius_mm:
            air = edt.edt(air, anisotropy=(STEP_MM,) * 3, parallel=2) > radius_mm
        markers, astride = _marked(air, middle)
        if not astride:
            break
    return _regrown(hu, lungs, markers, middle)


def _marked(air: Mask, middle: float) -> tuple[Codes, bool]:
    """Each sizeable piece on its side, and whether one of them lies on both."""
    pieces = cc3d.connected_components(
        cc3d.dust(air, threshold=int(_PIECE_ML / VOXEL_ML), connectivity=6), connectivity=6
    )
    size = np.bincount(pieces.ravel()).astype(float)
    right = (
        np.bincount(pieces[..., : max(0, round(middle))].ravel(), minlength=len(size)) / size
    )
    code = np.where(right > 0.5, RIGHT, LEFT).astype(np.uint8)
    code[0] = 0
    across = np.minimum(right, 1 - right)[1:]
    return code[pieces], bool((across > _ASTRIDE).any())


def _regrown(hu: Field, lungs: Mask, markers: Codes, middle: float) -> Codes:
    if not markers.any():
        return _halved(lungs, middle)
    if np.unique(markers).size == 2:
        return np.where(lungs, markers.max(), 0).astype(np.uint8)
    out = markers.copy()
    rest = lungs & (markers == 0)
    right, left = (_distance(markers == code, rest) for code in (RIGHT, LEFT))
    out[rest] = np.where(right <= left, RIGHT, LEFT)
    contested = np.zeros_like(rest)
    contested[rest] = np.maximum(right, left) < _JUNCTION_MM
    if contested.any():
        box = ndimage.find_objects(contested.astype(np.uint8))[0]
        seeds = np.where(contested[box], 0, out[box])
        out[box] = watershed(hu[box], seeds, mask=lungs[box])  # type: ignore[no-untyped-call]  # scikit-image has no types
    return out


def give_to_nearer_lung(codes: Codes, more: Mask) -> Codes:
    """Codes with `more` given to the nearer lung, pieces that lie mostly at one lung whole."""
    right, left = (_distance(codes == code, more) for code in (RIGHT, LEFT))
    piece = cc3d.connected_components(more, connectivity=6)[more]
    size = np.maximum(np.bincount(piece), 1)
    at_right = (np.bincount(piece, right <= left) / size)[piece]
    mixed = np.abs(at_right - 0.5) < _MOSTLY - 0.5
    out = codes.copy()
    out[more] = np.where(np.where(mixed, right <= left, at_right > 0.5), RIGHT, LEFT)
    return out


def _distance(mask: Mask, places: Mask) -> Float[np.ndarray, "_"]:
    """How far each of the places lies from a mask, measured in steps of twice the grid's."""
    thin = mask[::2, ::2, ::2]
    if not thin.any():
        return np.full(np.count_nonzero(places), np.inf)
    far_mm = edt.edt(~thin, anisotropy=(2 * STEP_MM,) * 3, parallel=2)
    return np.asarray(far_mm[tuple(index // 2 for index in np.nonzero(places))])


def _halved(lungs: Mask, middle: float) -> Codes:
    """Scraps of lung too small to have markers, by the midplane."""
    out = np.where(lungs, LEFT, 0).astype(np.uint8)
    right = out[..., : max(0, round(middle))]
    right[right > 0] = RIGHT
    return out
