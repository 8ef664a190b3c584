"""Tissues: which HU each shape of a healthy chest is painted with, in the order of painting."""

from collections.abc import Iterator

import numpy as np

from hirescam.simulation.canvas import Texture, Tissue
from hirescam.simulation.organs import Organs
from hirescam.simulation.physique import Physique
from hirescam.simulation.shapes import Distance, Number, Points, Shape, grown
from hirescam.simulation.skeleton import (
    canal,
    cartilage_from_mm,
    from_disc,
    ribs,
    shoulder,
    spine,
    sternum,
)
from hirescam.simulation.trunk import belly_organs, belly_room, body, cavity, lies_at_mm, under

FAT, MUSCLE, BLOOD, HEART, AIR = -100.0, 50.0, 40.0, 44.0, -1000.0


def healthy(person: Physique, organs: Organs) -> Iterator[tuple[Shape, Tissue]]:
    """Shapes and their tissues; later ones cover earlier ones."""
    inside = cavity(person)
    belly = belly_organs(person)
    yield _table(person), -250.0
    yield body(person), _wall(person)
    yield inside, -95.0
    yield belly_room(person), _under_diaphragm
    yield belly["liver"], 58.0
    yield belly["spleen"], 48.0
    yield belly["stomach"], 25.0
    yield belly["stomach_gas"], AIR
    yield shoulder(person), _bone(420, 220, 2.0)
    yield ribs(person), _ribs(person)
    yield sternum(person), _bone(380, 140, 1.8)
    yield spine(person), _vertebrae(person)
    yield canal(person), 28.0
    yield organs.heart, HEART
    yield organs.veins, BLOOD
    yield organs.neck_arteries, BLOOD
    yield organs.pulmonary, BLOOD
    yield organs.aorta, BLOOD
    yield organs.oesophagus, 36.0
    yield grown(organs.airways, 1.4), _airway


def _wall(person: Physique) -> Texture:
    """Skin, fat, then muscle in two layers, by depth under the surface."""
    fat = person.fat_mm
    depths = np.array([0, 1.5, 3.0, fat - 1, fat + 1, fat + 7, fat + 9, fat + 11])
    values = np.array([10, 10, FAT, FAT, MUSCLE, MUSCLE, -40, MUSCLE])

    def tissue(_: Points, distance: Distance) -> np.ndarray:
        out = np.full(distance.shape, MUSCLE, np.float32)
        shell = (distance < 2) & (distance > -fat - 11)
        out[shell] = np.interp(-distance[shell], depths, values)
        return out

    return tissue


def _under_diaphragm(points: Points, distance: Distance) -> np.ndarray:
    return np.where(distance > -3.5, np.float32(MUSCLE), np.float32(-95))


def _airway(points: Points, distance: Distance) -> np.ndarray:
    """A wall around air."""
    return np.interp(-distance, [0.9, 1.9], [10.0, AIR]).astype(np.float32)


def _bone(cortex_hu: Number, marrow_hu: Number, cortex_mm: Number) -> Texture:
    return lambda points, distance: np.where(
        distance > -cortex_mm, np.float32(cortex_hu), np.float32(marrow_hu)
    )


def _ribs(person: Physique) -> Texture:
    """Bone, but cartilage in front."""
    bone, front = _bone(620, 280, 1.8), np.float32(cartilage_from_mm(person))
    return lambda points, distance: np.where(
        points.y > front, np.float32(95), bone(points, distance)
    )


def _vertebrae(person: Physique) -> Texture:
    """Marrow under a cortex, with discs between end plates."""
    bone = _bone(420, 190, 2.0)

    def tissue(points: Points, distance: Distance) -> np.ndarray:
        off = from_disc(person, points)
        body = np.float32(-58 * person.deep)
        plate = np.where(off < 3.0, np.float32(85), np.float32(380))
        return np.where((off < 4.8) & (points.y > body), plate, bone(points, distance))

    return tissue


def lung_tissue(person: Physique) -> Texture:
    """Air with a little tissue, denser where it hangs down and at the base."""
    base, sag = np.float32(person.lung_hu), np.float32(0.35 * person.up)
    return lambda points, distance: base - points.y * sag - points.z * np.float32(0.08)


def _table(person: Physique) -> Shape:
    """The shell of the curved table under the person."""
    lowest = lies_at_mm(person) - 6

    def distance(points: Points) -> Distance:
        rise = points.x * points.x * np.float32(1 / 760)
        top = points.y - np.float32(lowest) - rise
        below = (points.y - np.float32(lowest - 42)) - rise * np.float32(0.25)
        shell = np.minimum(np.abs(top), np.abs(below)) - np.float32(1.2)
        return np.maximum(shell, np.abs(points.x) - 205) + np.float32(0) * points.z

    low, high = np.array([-205.0, lowest - 45, -1e4]), np.array([205.0, lowest + 60, 1e4])
    return under(person, Shape(low, high, distance))
