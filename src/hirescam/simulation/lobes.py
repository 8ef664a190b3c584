"""Lobes: how the fissures divide each lung."""

import numpy as np
from jaxtyping import Float

from hirescam.simulation.physique import Physique
from hirescam.simulation.shapes import Distance, Points, Shape, cloud, common

LOBES = {"right": ("upper", "middle", "lower"), "left": ("upper", "lower")}
_FISSURE_MM = (45.0, -75.0)  # height of the oblique fissure at the back, and that back's y
_MINOR_FISSURE_MM = -18.0


def _below_oblique(person: Physique, points: Points) -> Distance:
    """Distance to the oblique fissure, negative on the side of the lower lobe."""
    height, back = _FISSURE_MM
    slope = np.float32(person.tall / person.deep)
    fissure = height * person.tall - (points.y - np.float32(back * person.deep)) * slope
    return ((points.z - fissure) * np.float32(0.7)).astype(np.float32)


def _below_minor(person: Physique, points: Points) -> Distance:
    """Distance to the horizontal fissure of the right lung, negative below it."""
    return (points.z - np.float32(_MINOR_FISSURE_MM * person.tall)).astype(np.float32)


def _lobe(person: Physique, points: Points, side: str, lobe: str) -> Distance:
    oblique = _below_oblique(person, points)
    if lobe == "lower":
        return oblique
    if side == "left":
        return -oblique
    minor = _below_minor(person, points)
    return np.maximum(-oblique, minor if lobe == "middle" else -minor)


def lobe_shape(person: Physique, lung: Shape, side: str, lobe: str) -> Shape:
    """One lobe of a lung."""
    part = Shape(lung.low, lung.high, lambda points: _lobe(person, points, side, lobe))
    return common(lung, part)


def lobe_of(person: Physique, place: Float[np.ndarray, "3"], side: str) -> str:
    """The lobe in which a place lies."""
    here = cloud(place[None])
    return min(LOBES[side], key=lambda lobe: float(_lobe(person, here, side, lobe)[0]))
