"""Devices: lines, leads and tubes that were put into the chest."""

from collections.abc import Sequence

import numpy as np

from hirescam.simulation.findings.kinds import Chest, Lesion
from hirescam.simulation.findings.spots import any_side, lungs_location, side_words
from hirescam.simulation.organs import heart_middle
from hirescam.simulation.physique import SIDES
from hirescam.simulation.shapes import Number, Shape, Triple, ellipsoid, union
from hirescam.simulation.trunk import CAVITY_FRONT_MM, CAVITY_MM
from hirescam.simulation.tubes import solid, tube

_NECK = ((44, 4, 140), (34, 13, 78), (26, 14, 50))
_TIP_AT_JUNCTION_MM = -30.0


def caval_catheter(
    chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]
) -> Lesion:
    """A line from the right side of the neck through the superior vena cava."""
    tip = random.uniform(-44, -18)
    line = _line(chest, (*_NECK, (25.5, 15, 12), (24, 13, tip)), random.uniform(1.0, 1.25))
    junction = tip < _TIP_AT_JUNCTION_MM
    words = {"tip": "the cavoatrial junction" if junction else "the mid superior vena cava"}
    return Lesion(line, random.uniform(1600, 2400), ("svc",), words)


def atrial_catheter(
    chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]
) -> Lesion:
    """The same line, run on into the right atrium."""
    way = (*_NECK, (25.5, 15, 12), (24, 13, -30), (20, 10, random.uniform(-66, -58)))
    return Lesion(
        _line(chest, way, random.uniform(1.1, 1.5)), random.uniform(1600, 2400), ("heart",)
    )


def pacemaker(chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]) -> Lesion:
    """A generator under the left collar bone, with leads in the right atrium and ventricle."""
    person = chest.person
    front = CAVITY_FRONT_MM + CAVITY_MM[1] * person.deep
    pocket = np.array([-74 * person.wide, front - 6, 46 * person.tall])
    generator = ellipsoid(pocket, (21, 5, 24), _facing_out())
    vein = np.array([(-34, 26, 74), (-4, 32, 56), (24, 16, 46), (25, 14, 0), (20, 10, -40)])
    trunk = np.vstack([pocket, vein * person.scale + person.shift])
    ventricle = heart_middle(person) + np.array([4.0, 12, -22])
    atrium = np.array([18, 20, -56]) * person.scale + person.shift
    leads = (tube(np.vstack([trunk, tip]), 1.1) for tip in (ventricle, atrium))
    shape = union(generator, *(solid(lead, visible=True) for lead in leads))
    return Lesion(shape, random.uniform(2200, 2900), ("heart",))


def chest_tube(chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]) -> Lesion:
    """A thick tube through the ribs of one side, along the pleura to the apex."""
    return _through_ribs(chest, random, radius_mm=4.5, end=(46, -24, 74))


def pleural_catheter(
    chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]
) -> Lesion:
    """A thin tube through the low ribs of one side to the back of the pleural space."""
    return _through_ribs(chest, random, radius_mm=2.2, end=(62, -58, -60))


def _through_ribs(
    chest: Chest,
    random: np.random.Generator,
    *,
    radius_mm: Number,
    end: Triple,
) -> Lesion:
    side = any_side(chest, random)
    person, sign = chest.person, SIDES[side]
    outside = CAVITY_MM[0] + 26 + person.fat_mm
    height = random.uniform(-62, -44)
    way = [(outside, 14, height - 8), (CAVITY_MM[0] - 12, 0, height), (92, -52, height + 20)]
    places = np.array([*way, end]) * person.scale * (sign, 1, 1)
    walls = solid(tube(places, radius_mm), visible=True)
    bore, density = -radius_mm + 1.2, random.uniform(250, 450)

    def tissue(points: object, distance: np.ndarray) -> np.ndarray:
        return np.where(distance > bore, np.float32(density), np.float32(-900))

    return Lesion(walls, tissue, lungs_location((side,)), side_words((side,)))


def _line(chest: Chest, places: Sequence[Triple], radius_mm: Number) -> Shape:
    way = np.array(places) * chest.person.scale + chest.person.shift
    return solid(tube(way, radius_mm), visible=True)


def _facing_out() -> np.ndarray:
    """Axes of a plate that lies on the front of the left chest."""
    return np.array([(0.94, 0.34, 0.0), (-0.34, 0.94, 0.0), (0.0, 0.0, 1.0)])
