"""Thorax: the surfaces that bound the space between the lungs, as heights over planes."""

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from hirescam.organs.sides import LEFT, RIGHT
from hirescam.organs.work_grid import STEP_MM, Codes

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
