"""Mediastinum: what lies between the lungs, above the diaphragm, in front of the spine."""

import numpy as np
from jaxtyping import Shaped
from scipy import ndimage

from hirescam.organs.sides import BONE_HU, LEFT, RIGHT
from hirescam.organs.thorax import Heights, diaphragm, filled
from hirescam.organs.work_grid import STEP_MM, Codes, Field, Mask

Ends = Shaped[np.ndarray, "down"]

_BODY_MM = 17.0  # half the width of a vertebral body
_CANAL_MM = (-30.0, 50.0)  # behind the lungs' backs
_BONY = 0.05


def mediastinum(hu: Field, sides: Codes, inside: Mask, middle: float) -> Mask:
    """Between the inner faces of both lungs, from their tops to the diaphragm.

    `inside` is the body with its airways.
    """
    if not sides.any():
        return np.zeros(sides.shape, bool)
    down, back, left = np.ogrid[tuple(slice(n) for n in sides.shape)]
    right_face = _face(sides == RIGHT, middle)
    left_face = (
        sides.shape[2] - 1 - _face((sides == LEFT)[..., ::-1], sides.shape[2] - 1 - middle)
    )
    lungs = sides > 0
    heights = np.flatnonzero(lungs.any(axis=(1, 2)))
    rows = lungs.any(axis=2)
    front = _along(np.argmax(rows, axis=1), rows.any(axis=1))
    between = (left > right_face[..., None]) & (left < left_face[..., None])
    between &= (down <= diaphragm(sides, middle)) & (down >= heights[0])
    canal = spinal_canal(hu, lungs, middle)
    between &= (back >= front[:, None, None]) & (back < canal[:, None, None])
    centre = canal[:, None, None] - _BODY_MM / STEP_MM
    vertebra = np.hypot(back - centre, left - middle) < _BODY_MM / STEP_MM
    return between & ~vertebra & ~lungs & inside


def spinal_canal(hu: Field, lungs: Mask, middle: float) -> Ends:
    """How far back the canal lies in each slice: amid the bone between the lungs' backs."""
    rows = lungs.any(axis=2)
    rear = np.quantile(rows.shape[1] - 1 - np.argmax(rows[rows.any(axis=1), ::-1], axis=1), 0.8)
    width = round(_BODY_MM / STEP_MM / 2)
    spine = hu[..., max(0, round(middle) - width) : round(middle) + 1] > BONE_HU
    sagittal = np.mean(spine, axis=2, dtype=np.float32)
    before, behind = (round(rear + mm / STEP_MM) for mm in _CANAL_MM)
    sagittal[:, : max(0, before)] = 0
    sagittal[:, behind:] = 0
    amid = ndimage.gaussian_filter(sagittal, np.divide((20.0, 16.0), STEP_MM), mode="nearest")
    found = amid.max(axis=1) > _BONY
    if not found.any():
        return np.full(len(hu), rear)
    return ndimage.gaussian_filter1d(_along(amid.argmax(axis=1), found), 10, mode="nearest")


def _face(lung: Mask, middle: float) -> Heights:
    """How far to the left a lung reaches, for each (down, back) line through it or near it."""
    known = lung.any(axis=2)
    reach = lung.shape[2] - 1 - np.argmax(lung[..., ::-1], axis=2)
    return filled(reach, known) if known.any() else np.full(known.shape, middle)


def _along(ends: Ends, known: Ends) -> Ends:
    """Ends per slice, those of the nearest slices where there is no lung."""
    slices = np.flatnonzero(known)
    return np.interp(np.arange(len(ends)), slices, np.asarray(ends, float)[slices])
