"""Pleura: fluid, air, plaques and thickening between lung and ribs."""

from collections.abc import Sequence

import numpy as np

from hirescam.simulation.findings.kinds import (
    Chest,
    Lesion,
    any_side,
    lungs_location,
    rind,
    side_words,
    some_sides,
    waves,
    where_above,
)
from hirescam.simulation.organs import places_within
from hirescam.simulation.shapes import (
    Distance,
    Number,
    Points,
    Shape,
    common,
    ellipsoid,
    union,
)
from hirescam.simulation.trunk import CAVITY_FRONT_MM, CAVITY_MM, SIDES

_LEAST_MODERATE_MM, _LEAST_LARGE_MM = 32.0, 45.0


def effusion(chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]) -> Lesion:
    """Fluid that has sunk to the back of one or both pleural spaces; to the front, if prone."""
    sides = some_sides(chest, random)
    depths = {side: random.uniform(24, 55) for side in sides}
    deepest = max(depths.values())
    size = (
        "small"
        if deepest < _LEAST_MODERATE_MM
        else "moderate"
        if deepest < _LEAST_LARGE_MM
        else "large"
    )
    pools = [_pool(chest, side, depth) for side, depth in depths.items()]
    words = side_words(sides) | {"size": size}
    return Lesion(union(*pools), random.uniform(4, 16), lungs_location(sides), words)


def pneumothorax(
    chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]
) -> Lesion:
    """Air that has risen to the top of one pleural space, over a thin pleural line."""
    side = any_side(chest, random)
    depth = random.uniform(12, 34)
    lung = chest.organs.lungs[side]
    up = np.float32(chest.person.up)
    top = CAVITY_FRONT_MM * up + CAVITY_MM[1] * chest.person.deep

    def below_air(points: Points) -> Distance:
        bend = 10 * (points.x / np.float32(70)) ** 2 + 12 * (points.z / np.float32(110)) ** 2
        level = np.float32(top - depth) + bend - 14
        return 0.9 * (level - up * points.y).astype(np.float32)

    shape = common(lung, Shape(lung.low, lung.high, below_air))

    def tissue(points: Points, distance: Distance) -> np.ndarray:
        return np.where(below_air(points) > -1.0, np.float32(-150), np.float32(-1000))

    size = "small" if depth < 20 else "moderate"
    return Lesion(shape, tissue, lungs_location((side,)), side_words((side,)) | {"size": size})


def thickening(chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]) -> Lesion:
    """Uneven soft tissue along the ribs of one side."""
    side = any_side(chest, random)
    uneven = waves(random, wavelengths_mm=(50, 110), count=9)
    layer = where_above(rind(chest, side, random.uniform(6, 10)), uneven, -0.5, 8.0)
    behind = Shape(
        layer.low, layer.high, lambda points: points.y - np.float32(40) + 0 * points.z
    )
    shape = common(layer, behind)
    return Lesion(shape, random.uniform(15, 45), lungs_location((side,)), side_words((side,)))


def plaques(chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]) -> Lesion:
    """Flat plates on the pleura of the ribs, most of them calcified."""
    sides = some_sides(chest, random)
    plates = []
    for side in sides:
        layer = rind(chest, side, 6)
        high = np.minimum(layer.high, [np.inf, np.inf, 45 * chest.person.tall])
        layer = Shape(layer.low, high, layer.distance)  # not in the apex
        for centre in places_within(layer, random, int(random.integers(3, 6))):
            plate = ellipsoid(centre, random.uniform(9, 20, 3))
            plates.append(common(plate, rind(chest, side, random.uniform(4, 7))))
    hu = random.uniform(250, 600)
    return Lesion(union(*plates), hu, lungs_location(sides), side_words(sides))


def _pool(chest: Chest, side: str, depth_mm: Number) -> Shape:
    person, lung = chest.person, chest.organs.lungs[side]
    up = np.float32(person.up)
    bottom = CAVITY_FRONT_MM * up - CAVITY_MM[1] * person.deep
    middle, base = SIDES[side] * 66 * person.wide, (person.right_dome_mm - 40) * person.tall

    def above_level(points: Points) -> Distance:
        higher = np.clip((points.z - np.float32(base)) / 170, 0, 1.1)
        aside = (points.x - np.float32(middle)) / 60
        level = bottom + depth_mm * (1 - higher) + 13 * aside * aside - 6
        return 0.9 * (up * points.y - level.astype(np.float32))

    return common(lung, Shape(lung.low, lung.high, above_level))
