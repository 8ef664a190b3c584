"""Shortcuts: what a network could learn instead of a finding, planted as strongly as asked.

Body-wall fat that goes with atherosclerosis is the case of Draelos and Carin,
arXiv:2011.08891, figure 14.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from hirescam.simulation.physique import Physique
from hirescam.simulation.shapes import (
    Distance,
    Points,
    Shape,
    ellipsoid,
    grown,
    without,
)
from hirescam.simulation.trunk import body, lies_at_mm, under

Change = Callable[[Physique, bool, np.random.Generator], Physique]


def unchanged(person: Physique, present: bool, random: np.random.Generator) -> Physique:
    """Most shortcuts leave the person as they are."""
    return person


@dataclass(frozen=True)
class Shortcut:
    """A row of `SHORTCUTS`: the label it goes with unless told otherwise, and what it is.

    `hu` is what its shape is painted with; None where the person's own tissue is the shortcut.
    """

    label: str
    shape: Callable[[Physique], Shape]
    hu: float | None = None
    change: Change = unchanged


def _marker(person: Physique) -> Shape:
    """A lead marker in the air in front of the right shoulder."""
    outline = body(person)
    centre = (0.62 * outline.high[0], outline.high[1] + 16, 30 * person.tall)
    return ellipsoid(centre, (8, 5, 11))


def _bed(person: Physique) -> Shape:
    """Rods along the table, one every three centimetres."""
    lowest = lies_at_mm(person) - 22

    def distance(points: Points) -> Distance:
        aside = np.remainder(points.x, np.float32(30)) - 15
        rise = points.x * points.x * np.float32(1 / 1400)
        deep = points.y - np.float32(lowest) - rise
        rods = np.sqrt(aside * aside + deep * deep) - 4
        return np.maximum(rods, np.abs(points.x) - 120) + np.float32(0) * points.z

    low, high = np.array([-124.0, lowest - 6, -1e4]), np.array([124.0, lowest + 18, 1e4])
    return under(person, Shape(low, high, distance))


def _fat(person: Physique) -> Shape:
    outline = body(person)
    return without(outline, grown(outline, -person.fat_mm))


def _habitus(person: Physique, present: bool, random: np.random.Generator) -> Physique:
    return replace(person, fat_mm=random.uniform(*((24, 34) if present else (6, 12))))


SHORTCUTS = {
    "marker": Shortcut("heart_cardiomegaly", _marker, hu=2000.0),
    "bed_pattern": Shortcut("lung_consolidation", _bed, hu=150.0),
    "body_fat": Shortcut("great_vessel_atherosclerosis", _fat, change=_habitus),
}
