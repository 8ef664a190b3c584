"""Heart and great vessels: size, fluid, calcium, stents and valves."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hirescam.simulation.findings.kinds import Chest, Lesion, onto_surface, visible
from hirescam.simulation.organs import aortic_course, heart_middle, places_within
from hirescam.simulation.painting import BLOOD, HEART
from hirescam.simulation.shapes import Number, Shape, common, grown, union, without
from hirescam.simulation.trunk import Physique
from hirescam.simulation.tubes import Tubes, solid, tube

Range = tuple[Number, Number]

# Directions from the middle of the ventricles to where the coronary arteries run.
CORONARIES = {
    "left anterior descending": (
        (0.30, 0.60, 0.75), (0.00, 0.85, 0.55), (-0.30, 0.95, 0.20), (-0.60, 0.85, -0.20),
    ),
    "left circumflex": ((0.10, 0.05, 1.0), (-0.45, 0.0, 0.90), (-0.85, -0.10, 0.45)),
    "right": ((0.65, 0.70, 0.40), (0.80, 0.55, 0.00), (0.75, 0.40, -0.40)),
}  # fmt: skip
_MITRAL = ((0.02, -0.25, 0.30), (-0.20, -0.30, 0.30), (-0.36, -0.32, 0.12), (-0.34, -0.3, -0.1))
_AORTIC_VALVE_MM = (20.0, -2.0, 32.0)  # from the middle of the ventricles


def cardiomegaly(
    chest: Chest, _random: np.random.Generator, _others: Sequence[Lesion]
) -> Lesion:
    """The heart itself, which was enlarged before the lungs were laid around it."""
    return Lesion(chest.organs.heart, HEART, ("heart",))


def enlarged_heart(person: Physique, random: np.random.Generator) -> Physique:
    """A heart 1.25 to 1.45 times the reference in every direction."""
    return replace(person, heart=random.uniform(1.25, 1.45))


def wide_sac(person: Physique, random: np.random.Generator, *, depth_mm: Range) -> Physique:
    """Room between heart and lungs."""
    return replace(person, pericardium_mm=max(person.pericardium_mm, random.uniform(*depth_mm)))


def sac(
    chest: Chest,
    random: np.random.Generator,
    _others: Sequence[Lesion],
    *,
    hu: Range,
    up_to_mm: Number,
) -> Lesion:
    """What lies around the heart: fluid, or a thickened pericardium."""
    organs = chest.organs
    depth = min(chest.person.pericardium_mm, up_to_mm)
    around = common(grown(organs.heart, depth), grown(organs.room, -2))
    shape = without(around, organs.heart, organs.aorta, organs.veins, organs.pulmonary)
    size = "small" if depth < 9 else "moderate"
    return Lesion(shape, random.uniform(*hu), ("heart",), {"size": size})


def coronary_calcification(
    chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]
) -> Lesion:
    """Plaques along one, two or three coronary arteries."""
    count = int(random.integers(1, 4))
    names = random.permutation(sorted(CORONARIES))[:count].tolist()
    specks = []
    for name in names:
        course = coronary(chest, name)
        for at in random.uniform(0.05, 0.9, int(random.integers(2, 5))):
            segment = int(at * len(course.start))
            along = course.end[segment] - course.start[segment]
            specks.append(_speck(course.start[segment], along, random.uniform(2.5, 6), 1.4))
    vessels = ", ".join(sorted(names)) if count < 3 else "all three"
    degree = ("mild", "moderate", "severe")[count - 1]
    words = {"vessels": vessels, "degree": degree}
    return Lesion(union(*specks), random.uniform(500, 850), ("heart",), words)


def stent(chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]) -> Lesion:
    """A metal mesh in one coronary artery."""
    name = str(random.choice(sorted(CORONARIES)))
    course = coronary(chest, name)
    start = int(random.uniform(0.1, 0.4) * len(course.start))
    part = Tubes(*(values[start : start + 5] for values in vars(course).values()))
    shape = solid(replace(part, start_radius=part.start_radius * 1.2), visible=True)
    return Lesion(shape, random.uniform(1100, 1800), ("heart",), {"vessel": name})


def mitral_calcification(
    chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]
) -> Lesion:
    """A calcified crescent where the mitral valve is fixed."""
    size = 58 * chest.person.heart * float(chest.person.scale.mean())
    places = heart_middle(chest.person) + np.array(_MITRAL) * size
    ring = solid(tube(places, random.uniform(1.8, 3.0)), visible=True)
    return Lesion(ring, random.uniform(500, 800), ("mitral_valve",))


def valve_prosthesis(
    chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]
) -> Lesion:
    """A metal ring in place of the aortic valve."""
    middle = heart_middle(chest.person) + np.array(_AORTIC_VALVE_MM) * chest.person.heart
    turn = np.linspace(0, 2 * np.pi, 13)[:, None]
    first, second = np.array([0.8, 0.3, 0.5]), np.array([0.1, 0.8, -0.6])
    places = middle + 11.5 * (np.cos(turn) * first + np.sin(turn) * second)
    ring = solid(tube(places, 1.4), visible=True)
    return Lesion(ring, random.uniform(1800, 2600), ("aortic_valve",))


def scattered_in_heart(
    chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]
) -> Lesion:
    """A few calcified specks anywhere in the heart's wall."""
    wall = without(grown(chest.organs.heart, -1), grown(chest.organs.heart, -9))
    places = places_within(wall, random, int(random.integers(4, 8)))
    specks = [visible(place, random.uniform(1.3, 2.2, 3).tolist()) for place in places]
    return Lesion(union(*specks), random.uniform(450, 800), ("heart",))


def coronary(chest: Chest, name: str) -> Tubes:
    """The course of one coronary artery on the heart."""
    places = onto_surface(
        grown(chest.organs.heart, 0.5), heart_middle(chest.person), np.array(CORONARIES[name])
    )
    return tube(places, 1.6)


def _speck(centre: np.ndarray, along: np.ndarray, long_mm: Number, thin_mm: Number) -> Shape:
    first = along / max(float(np.linalg.norm(along)), 1e-6)
    second = np.cross(first, [0.3, 0.2, 0.9])
    second /= np.linalg.norm(second)
    axes = np.array([first, second, np.cross(first, second)])
    return visible(centre, (long_mm, thin_mm, thin_mm), axes)


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
