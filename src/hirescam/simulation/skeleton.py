"""Skeleton: spine, ribs, sternum, clavicles and shoulder blades, as shapes."""

import numpy as np

from hirescam.simulation.physique import SIDES, Physique
from hirescam.simulation.shapes import (
    Distance,
    Points,
    Shape,
    column,
    common,
    ellipsoid,
    grown,
    union,
)
from hirescam.simulation.trunk import CAVITY_FRONT_MM, CAVITY_MM, body, cavity
from hirescam.simulation.tubes import joined, solid, tube

VERTEBRA_MM = 24.0
RIB_MM = 28.0
RIB_SLOPE = 0.45  # millimetres to the feet for each one to the front
SPINE_BACK_MM = -44.0  # middle of the vertebral bodies
CANAL_BACK_MM = -69.0
LENGTH_MM = (-400.0, 400.0)


def from_disc(person: Physique, points: Points) -> np.ndarray:
    """How far points lie above or below the middle of the nearest disc."""
    pitch = np.float32(VERTEBRA_MM * person.tall)
    return np.abs(np.remainder(points.z, pitch) - pitch / 2)


def spine(person: Physique) -> Shape:
    """Vertebral bodies with their arches and processes; the canal is still to be emptied."""
    deep = person.deep
    bodies = column((0, SPINE_BACK_MM * deep), (19, 15.5), LENGTH_MM)
    arch = column((0, CANAL_BACK_MM * deep), (15, 14), LENGTH_MM)

    def processes(points: Points) -> Distance:
        along = from_disc(person, points) - np.float32(VERTEBRA_MM * person.tall / 2)
        back = points.y - np.float32(CANAL_BACK_MM * deep)
        sideways = np.abs(points.x)
        spinous = np.maximum(np.maximum(sideways - 3, np.abs(back + 24) - 16), along + 4 - 11)
        spread = np.maximum(np.abs(back + 3) - 4, sideways - 34)
        return np.minimum(spinous, np.maximum(spread, np.abs(along) - 5)).astype(np.float32)

    middle = CANAL_BACK_MM * deep
    low, high = np.array([-34, middle - 40, -400.0]), np.array([34, middle + 4, 400.0])
    return union(bodies, arch, Shape(low, high, processes), blend_mm=2)


def canal(person: Physique) -> Shape:
    """The spinal canal."""
    return column((0, CANAL_BACK_MM * person.deep), (10, 8.5), LENGTH_MM)


def ribs(person: Physique) -> Shape:
    """Slanting rings on the chest cavity, open at the sternum."""
    inside = cavity(person)
    pitch = np.float32(RIB_MM * person.tall)
    upright = np.float32(1 / np.sqrt(1 + RIB_SLOPE**2))

    def distance(points: Points) -> Distance:
        height = points.z + np.float32(RIB_SLOPE) * points.y
        turn = np.remainder(height / pitch + np.float32(person.rib_phase), 1) - np.float32(0.5)
        up2 = (turn * (pitch * upright / np.float32(6.5))) ** 2
        out = inside.distance(points)
        out -= np.float32(5.5)
        out *= np.float32(1 / 4)
        out *= out
        out = out + up2
        np.sqrt(out, out=out)
        out -= 1
        out *= np.float32(4.5)
        return np.maximum(out, 16 - np.abs(points.x))

    margin = np.array([10, 10, 4])
    return Shape(inside.low - margin, inside.high + margin, distance)


def cartilage_from_mm(person: Physique) -> float:
    """Ribs in front of this y are cartilage."""
    return CAVITY_FRONT_MM + 0.62 * CAVITY_MM[1] * person.deep


def sternum(person: Physique) -> Shape:
    """Manubrium and body of the sternum, on the front of the cavity."""
    front = CAVITY_FRONT_MM + CAVITY_MM[1] * person.deep
    body = ellipsoid((0, front + 5, -48 * person.tall), (19, 6.5, 62 * person.tall))
    manubrium = ellipsoid((0, front - 3, 26 * person.tall), (29, 7.5, 26))
    return union(body, manubrium, blend_mm=6)


def shoulder(person: Physique) -> Shape:
    """Clavicles and shoulder blades of both sides, under the skin and its fat."""
    front = CAVITY_FRONT_MM + CAVITY_MM[1] * person.deep
    line = np.array([(26, front - 12, 44), (62, front - 22, 66), (104, front - 56, 84)])
    sides = [np.array([sign, 1, 1]) for sign in SIDES.values()]
    clavicles = [tube(line * (person.wide, 1, person.tall) * side, 6.0) for side in sides]
    blades = [
        ellipsoid(
            np.array([98 * person.wide, -70 * person.deep - 8, 40 * person.tall]) * side,
            (40, 4.5, 62),
            np.array([(0.80, 0.60, 0), (-0.60, 0.80, 0), (0, 0, 1)]) * side,
        )
        for side in sides
    ]
    flesh = grown(body(person), -person.fat_mm - 2)
    return union(*(common(bone, flesh) for bone in (solid(joined(*clavicles)), *blades)))
