"""Collapse: lung that has lost its air or its place: atelectasis, bands, scars."""

from collections.abc import Callable, Sequence

import numpy as np

from hirescam.simulation.findings.kinds import Chest, Lesion
from hirescam.simulation.findings.spots import (
    any_side,
    lobe,
    lobe_at,
    lobe_location,
    lobe_words,
    rind,
    room_for,
    side_words,
    some_sides,
)
from hirescam.simulation.findings.texture import waves
from hirescam.simulation.shapes import Distance, Points, Shape, common, ellipsoid, union


def atelectasis(chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]) -> Lesion:
    """Airless lung that hangs down at the base of one or both lower lobes."""
    sides = some_sides(chest, random)
    depth, person = random.uniform(14, 26), chest.person
    uneven = waves(random, wavelengths_mm=(18, 50), count=5)
    foot = (person.right_dome_mm - 8) * person.tall

    def above(points: Points) -> Distance:
        level = np.float32(foot) - (points.y + 35) * np.float32(1.3)
        return 0.6 * (points.z - level) + 5 * uneven(points)

    wedges = [
        common(lobe(chest, side, "lower"), rind(chest, side, depth), _half(chest, side, above))
        for side in sides
    ]
    locations = tuple(lobe_location(side, "lower") for side in sides)
    return Lesion(union(*wedges), random.uniform(15, 45), locations, side_words(sides))


def band(chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]) -> Lesion:
    """A plate of a few millimetres that crosses a part of a lobe."""
    side = any_side(chest, random)
    lung = chest.organs.lungs[side]
    centre = room_for(16, lung, random)
    tilt = random.uniform(-0.5, 0.5, 2)
    normal = np.array([tilt[0], tilt[1], 1.0])
    normal /= np.linalg.norm(normal)
    first = np.cross(normal, [0, 1.0, 0])
    first /= np.linalg.norm(first)
    axes = np.array([first, np.cross(normal, first), normal])
    radii = (random.uniform(20, 34), random.uniform(12, 22), random.uniform(1.4, 2.2))
    name = lobe_at(chest, centre, side)
    return Lesion(
        common(ellipsoid(centre, radii, axes), lung),
        random.uniform(-60, 20),
        (lobe_location(side, name),),
        lobe_words(side, name),
    )


def apical_scar(chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]) -> Lesion:
    """Uneven soft tissue that caps the apex of one lung, with strands below it."""
    side = any_side(chest, random)
    uneven = waves(random, wavelengths_mm=(8, 26), count=6)
    top = chest.organs.lungs[side].high[2] - random.uniform(26, 38)

    def under(points: Points) -> Distance:
        return np.float32(top) - points.z + 7 * uneven(points)

    shape = common(rind(chest, side, random.uniform(7, 11)), _half(chest, side, under))
    words = lobe_words(side, "upper")
    return Lesion(shape, random.uniform(-40, 30), (lobe_location(side, "upper"),), words)


def _half(chest: Chest, side: str, distance: Callable[[Points], Distance]) -> Shape:
    lung = chest.organs.lungs[side]
    return Shape(lung.low, lung.high, distance)
