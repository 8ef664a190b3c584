"""Mediastinum: nodes, masses and haze in the fat between the lungs."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hirescam.simulation.findings.kinds import Chest, Lesion, visible, waves
from hirescam.simulation.findings.nodules import size_words
from hirescam.simulation.organs import front_mass
from hirescam.simulation.shapes import (
    Number,
    Points,
    Shape,
    common,
    ellipsoid,
    grown,
    union,
    without,
)
from hirescam.simulation.trunk import Physique

Range = tuple[Number, Number]

# Where lymph nodes lie in the reference chest (mm from the carina), as reports name them.
STATIONS = {
    "right paratracheal": (13, 2, 22),
    "subcarinal": (3, -16, -26),
    "prevascular": (-4, 44, 30),
    "aortopulmonary window": (-24, 2, 6),
}


def nodes(
    chest: Chest,
    random: np.random.Generator,
    _others: Sequence[Lesion],
    *,
    diameter_mm: Range,
    hu: Range,
    most: int = 3,
) -> Lesion:
    """Lymph nodes in one or some of the stations of the mediastinum."""
    names = random.permutation(sorted(STATIONS))[: random.integers(1, most + 1)].tolist()
    widest = random.uniform(*diameter_mm)
    balls = [
        visible(
            np.array(STATIONS[name]) * chest.person.scale + chest.person.shift,
            (widest / 2 * random.uniform(0.8, 1.1, 3)).tolist(),
        )
        for name in names
    ]
    words = {"stations": _listed(names)} | size_words(widest)
    return Lesion(_in_fat(chest, union(*balls)), random.uniform(*hu), ("mediastinum",), words)


def mass(
    chest: Chest,
    random: np.random.Generator,
    _others: Sequence[Lesion],
    *,
    hu: Range = (30, 65),
) -> Lesion:
    """A lobulated mass in front of the great vessels, for which the lungs have made room."""
    uneven = waves(random, wavelengths_mm=(25, 60), count=5)
    whole = front_mass(chest.person)
    lobulated = Shape(
        whole.low - 5,
        whole.high + 5,
        lambda points: whole.distance(points) + 3 * uneven(points),
    )
    words = size_words(2.2 * chest.person.mass_mm)
    shape = _in_fat(chest, lobulated)
    return Lesion(shape, random.uniform(*hu), ("mediastinum",), words)


def room_for_mass(
    person: Physique, random: np.random.Generator, *, radius_mm: Range
) -> Physique:
    """Room in front of the great vessels."""
    return replace(person, mass_mm=max(person.mass_mm, random.uniform(*radius_mm)))


def haze(chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]) -> Lesion:
    """Fat in front of the great vessels that is too dense for fat."""
    uneven = waves(random, wavelengths_mm=(8, 25), count=5)
    front = ellipsoid(
        np.array([-2, 50, 2]) * chest.person.scale + chest.person.shift, (22, 18, 34)
    )
    density = random.uniform(-25, 5)

    def tissue(points: Points, distance: np.ndarray) -> np.ndarray:
        return np.float32(density) + 14 * uneven(points)

    return Lesion(_in_fat(chest, front), tissue, ("mediastinum",))


def _in_fat(chest: Chest, shape: Shape) -> Shape:
    """What of a shape lies in the mediastinum and in no vessel, airway or gullet."""
    organs = chest.organs
    return without(
        common(shape, grown(organs.room, -1)),
        organs.heart,
        organs.aorta,
        organs.veins,
        organs.pulmonary,
        grown(organs.airways, 1.4),
        *organs.lungs.values(),
    )


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
