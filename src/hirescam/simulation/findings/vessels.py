"""Vessels: an aorta that calcifies, widens or was repaired."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hirescam.simulation.findings.kinds import Chest, Lesion
from hirescam.simulation.findings.spots import visible
from hirescam.simulation.organs import aortic_course
from hirescam.simulation.physique import Physique
from hirescam.simulation.shapes import Number, Shape, common, grown, union, without
from hirescam.simulation.tissues import BLOOD
from hirescam.simulation.tubes import Tubes, solid

Range = tuple[Number, Number]
_ASCENDING_SEGMENTS = 14


def aortic_plaques(
    chest: Chest,
    random: np.random.Generator,
    _others: Sequence[Lesion],
    *,
    count: tuple[int, int] = (5, 10),
    length_mm: Range = (3, 10),
    hu: Range = (550, 850),
) -> Lesion:
    """Plaques along the wall of the arch and the descending aorta."""
    course = aortic_course(chest.person)
    lowest = (chest.person.right_dome_mm - 5) * chest.person.tall
    usable = np.flatnonzero((course.end[:, 2] > lowest) & (np.arange(len(course.end)) > 3))
    chosen = random.choice(usable, random.integers(*count)).tolist()
    plaques = [_plaque(course, segment, length_mm, random) for segment in chosen]
    shape = common(union(*plaques), grown(chest.organs.aorta, 1.2))
    return Lesion(shape, random.uniform(*hu), ("aorta",))


def wide_aorta(chest: Chest, _random: np.random.Generator, _others: Sequence[Lesion]) -> Lesion:
    """The ascending aorta itself, which was widened before the lungs were laid around it."""
    widest = 2 * float(_ascending(chest.person).start_radius.max())
    words = {"size": f"{widest / 10:.1f} cm"}
    return Lesion(solid(_ascending(chest.person)), BLOOD, ("aorta",), words)


def bulging(person: Physique, random: np.random.Generator, *, to_mm: Range) -> Physique:
    """An ascending aorta as wide as asked."""
    bulge = random.uniform(*to_mm) / 2 / (16 * person.aorta)
    return replace(person, aortic_bulge=max(person.aortic_bulge, bulge))


def graft(chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]) -> Lesion:
    """A dense tube in the wall of the ascending aorta, where it was replaced."""
    whole = solid(_ascending(chest.person))
    wall = without(grown(whole, 1.5), grown(whole, -1.2))
    return Lesion(wall, random.uniform(140, 210), ("aorta",))


def _ascending(person: Physique) -> Tubes:
    course = aortic_course(person)
    return Tubes(*(values[:_ASCENDING_SEGMENTS] for values in vars(course).values()))


def _plaque(
    course: Tubes, segment: int, length_mm: Range, random: np.random.Generator
) -> Shape:
    along = course.end[segment] - course.start[segment]
    along /= np.linalg.norm(along)
    outward = np.cross(along, random.normal(size=3))
    outward /= np.linalg.norm(outward)
    centre = course.start[segment] + outward * (course.start_radius[segment] - 0.4)
    axes = np.array([along, np.cross(along, outward), outward])
    long, wide = random.uniform(*length_mm, 2) / 2
    return visible(centre, (max(long, wide), max(1.5, 0.6 * wide), 1.3), axes)
