"""Mediastinum: between the lungs, above the diaphragm, in front of the spine."""

import numpy as np
from jaxtyping import Bool, Float, Shaped
from scipy import ndimage

from hirescam.organs.sides import backs
from hirescam.organs.work_grid import BONE_HU, LEFT, RIGHT, STEP_MM, Codes, Field, Mask

# --- the surfaces that bound the space between the lungs, as heights over planes ---

Heights = Float[np.ndarray, "_ _"]

_HEART_RIGHT_MM = 45.0  # of the midplane: further right, a lung's floor is the diaphragm
_HEART_LEFT = 0.85  # of the left lung's reach
_DOME = 0.1  # the share of such floors that may lie higher than the dome
_STEP_UP_MM = 4.0  # a floor this far above the floors around it rests on the heart
_SMOOTH_MM = (4.0, 12.0, 36.0, 108.0)


def diaphragm(sides: Codes, middle: float) -> Heights:
    """How far down the chest reaches in each (back, left) column.

    Under a lung, its floor; where that floor is the heart or a great vessel, and where there
    is no lung, what the floors around lead to.
    """
    left = np.arange(sides.shape[2])
    lungs = sides > 0
    here = lungs.any(axis=0)
    floor = np.where(here, sides.shape[0] - 1 - np.argmax(lungs[::-1], axis=0), 0).astype(float)
    known = np.zeros_like(here)
    beside = np.zeros_like(here)
    for code, reach in ((RIGHT, _HEART_RIGHT_MM / STEP_MM), (LEFT, None)):
        own = (sides == code).any(axis=0)
        if not own.any():
            continue
        out = np.abs(left - middle)
        if reach is None:
            reach = _HEART_LEFT * float(np.quantile(out[np.nonzero(own)[1]], 0.98))
        lateral = own & (out > reach)
        dome = np.quantile(floor[lateral if lateral.any() else own], _DOME)
        known |= own & ((out > reach) | (floor >= dome))
        beside |= own & (out <= reach)
    for _ in range(4):
        around = smooth(floor, known, 16.0)
        known &= ~beside | (floor > around - _STEP_UP_MM / STEP_MM)
    return np.where(known, floor, np.maximum(filled(floor, known), floor))


def smooth(heights: Heights, known: Bool[np.ndarray, "_ _"], sigma_mm: float) -> Heights:
    """Means of the known heights around each place, weighted by distance."""
    weight = ndimage.gaussian_filter(known.astype(float), sigma_mm / STEP_MM)
    value = ndimage.gaussian_filter(np.where(known, heights, 0.0), sigma_mm / STEP_MM)
    return np.divide(value, weight, out=np.zeros_like(value), where=weight > 1e-6)


def filled(heights: Heights, known: Bool[np.ndarray, "_ _"]) -> Heights:
    """A smooth surface through the known heights, and over the gaps between them."""
    out, done = np.zeros_like(heights, float), np.zeros_like(known)
    for sigma_mm in _SMOOTH_MM:
        sigma = sigma_mm / STEP_MM
        weight = ndimage.gaussian_filter(known.astype(float), sigma)
        value = ndimage.gaussian_filter(np.where(known, heights, 0.0), sigma)
        new = ~done & (weight > 0.2)
        out[new] = value[new] / weight[new]
        done |= new
    if known.any():
        out[~done] = heights[known].mean()
    return out


# --- what lies between the lungs, above the diaphragm, in front of the spine ---

Ends = Shaped[np.ndarray, "down"]

_BODY_MM = 15.0  # half the width of a vertebral body
_SPINE_MM = 34.0  # from its canal to its front
_BESIDE_MM = 55.0  # of the midplane: aorta and gullet beside the spine
_AORTA_LEFT_MM, _AORTA_MM = 10.0, 26.0  # its middle, and how far from there it may lie
_CRURA_MM = 62.0  # in front of the canal: there the diaphragm lets the aorta pass
_BELOW_MM = 15.0  # the lungs
_CANAL_MM = (-45.0, 45.0)  # behind the lungs' backs
_BONY = 0.05
_CURVES_MM = 30.0  # from the canal's usual place: further is other bone, as of the neck


def mediastinum(hu: Field, sides: Codes, inside: Mask, middle: float) -> Mask:
    """Between the lungs, from their tops to the diaphragm; without vertebrae and back.

    `inside` is the body with its airways.
    """
    lungs = sides > 0
    if not lungs.any():
        return lungs
    down, back, left = np.ogrid[tuple(slice(n) for n in sides.shape)]
    width = sides.shape[2]
    first = width - 1 - _reach((sides == RIGHT)[..., ::-1], width - 1 - middle)
    last = _reach(sides == LEFT, middle)
    rows = np.asarray(lungs.any(axis=2))
    front = np.minimum.accumulate(_along(np.argmax(rows, axis=1), np.asarray(rows.any(axis=1))))
    slices = np.flatnonzero(rows.any(axis=1))
    canal = spinal_canal(hu, lungs, middle)[:, None, None]
    aside = np.abs(left - middle) * STEP_MM
    before_spine = (canal - back) * STEP_MM  # how far in front of the canal, in millimetres
    aorta = np.abs((left - middle) * STEP_MM - _AORTA_LEFT_MM) < _AORTA_MM
    along_spine = aorta & (before_spine < _CRURA_MM)
    crura = slices[-1] + _BELOW_MM / STEP_MM
    floor = np.where(along_spine, crura, diaphragm(sides, middle))
    vertebra = np.hypot(before_spine - _BODY_MM, aside) < _BODY_MM
    between = (left > first[..., None]) & (left < last[..., None])
    between &= (down >= slices[0]) & (down <= floor) & (back >= front[:, None, None])
    between &= (before_spine > _SPINE_MM) | ((before_spine > 0) & (aside < _BESIDE_MM))
    return between & ~vertebra & ~lungs & inside


def spinal_canal(hu: Field, lungs: Mask, middle: float) -> Ends:
    """How far back the canal lies in each slice: amid the bone beside the lungs' backs."""
    rear = backs(lungs)
    width = round(_BODY_MM / STEP_MM / 2)
    spine = hu[..., max(0, round(middle) - width) : round(middle) + width] > BONE_HU
    sagittal = np.asarray(np.mean(spine, axis=2, dtype=np.float32))
    before, behind = (max(0, round(rear + mm / STEP_MM)) for mm in _CANAL_MM)
    sagittal[:, :before] = 0
    sagittal[:, behind:] = 0
    blur = np.divide((20.0, 16.0), STEP_MM)
    amid = ndimage.gaussian_filter(sagittal, blur, mode=("nearest", "constant"))
    found = amid.max(axis=1) > _BONY
    if not found.any():
        return np.full(len(hu), rear)
    canal = amid.argmax(axis=1)
    found &= np.abs(canal - np.median(canal[found])) < _CURVES_MM / STEP_MM
    return ndimage.gaussian_filter1d(_along(canal, found), 10, mode="nearest")


def _reach(lung: Mask, otherwise: float) -> Heights:
    """The last column of a lung in each (down, back) line through it or near it."""
    known = np.asarray(lung.any(axis=2))
    if not known.any():
        return np.full(known.shape, otherwise)
    return filled(lung.shape[2] - 1.0 - np.argmax(lung[..., ::-1], axis=2), known)


def _along(ends: Ends, known: Ends) -> Ends:
    """Ends per slice, between slices without them those of their neighbours."""
    slices = np.flatnonzero(known)
    return np.interp(np.arange(len(ends)), slices, np.asarray(ends, float)[slices])
