"""Interstitium: diffuse change of lung tissue: emphysema, fibrosis and their patterns."""

from collections.abc import Callable, Sequence

import numpy as np

from hirescam.simulation.findings.kinds import (
    Chest,
    Field,
    Lesion,
    lattice,
    lungs_location,
    net,
    rind,
    side_words,
    waves,
    where_above,
)
from hirescam.simulation.painting import Mix, Tissue, denser, over, thinner
from hirescam.simulation.shapes import (
    Distance,
    Number,
    Points,
    Shape,
    common,
    grown,
    union,
)

_AIR = -985.0
Range = tuple[Number, Number]


def emphysema(chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]) -> Lesion:
    """Holes of a few millimetres, most of them in the upper lungs."""
    cells = waves(random, wavelengths_mm=(9, 17), count=24)
    ragged, person = waves(random, wavelengths_mm=(35, 80), count=5), chest.person

    def holes(points: Points) -> np.ndarray:
        higher = np.clip((points.z + 70 * person.tall) / 140, 0, 1)
        return cells(points) + (0.9 * higher + 0.5 * ragged(points)).astype(np.float32)

    return _diffuse(chest, _inside, holes, 1.35, 5.0, random.uniform(-985, -965), thinner)


def air_trapping(
    chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]
) -> Lesion:
    """Sharply bounded lobules that stay dark, as in expiration."""
    lobules = waves(random, wavelengths_mm=(32, 60), count=16)
    return _diffuse(chest, _inside, lobules, 0.55, 7.0, random.uniform(-955, -940), thinner)


def honeycombing(
    chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]
) -> Lesion:
    """Rows of cysts with shared walls under the pleura of the lower lungs."""
    cells = lattice(random, period_mm=random.uniform(10, 13))
    zone = _lower_rind(chest, random, (16, 26))

    def tissue(points: Points, distance: Distance) -> np.ndarray:
        return np.interp(cells(points), [-0.14, 0.06], [-120.0, -960.0]).astype(np.float32)

    return _in_lungs(chest, zone, tissue, over)


def bronchiolectasis(
    chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]
) -> Lesion:
    """Small rings, the widened bronchioles, near the pleura of the lower lungs."""
    cells = lattice(random, period_mm=random.uniform(13, 17))
    zone = _lower_rind(chest, random, (14, 20))
    rings = where_above(zone, cells, 0.25, 3.5)

    def tissue(points: Points, distance: Distance) -> np.ndarray:
        return np.interp(cells(points), [0.42, 0.6], [-150.0, -980.0]).astype(np.float32)

    return _in_lungs(chest, rings, tissue, over)


def reticulation(
    chest: Chest,
    random: np.random.Generator,
    _others: Sequence[Lesion],
    *,
    depth_mm: Range = (18, 30),
    haze_hu: Number = -1000.0,
) -> Lesion:
    """A net of lines under the pleura of the lower lungs, on haze if there is any."""
    lines = net(random, period_mm=random.uniform(14, 19))
    zone = _lower_rind(chest, random, depth_mm)

    def tissue(points: Points, distance: Distance) -> np.ndarray:
        return np.interp(lines(points), [0.15, 0.4], [-180.0, haze_hu]).astype(np.float32)

    if haze_hu > _AIR:
        return _in_lungs(chest, zone, tissue, denser)
    return _in_lungs(chest, where_above(zone, _less(lines), -0.3, 4.0), tissue, denser)


def septal_thickening(
    chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]
) -> Lesion:
    """Thin sheets between the lobules of all lungs."""
    lines = _less(net(random, period_mm=random.uniform(26, 34)))
    density = random.uniform(-350, -200)
    return _diffuse(chest, lambda lung: grown(lung, -1), lines, -0.13, 7.0, density, denser)


def _inside(lung: Shape) -> Shape:
    return grown(lung, -3)


def _less(field: Field) -> Field:
    return lambda points: -field(points)


def _lower_rind(chest: Chest, random: np.random.Generator, depth_mm: Range) -> Shape:
    """The outer part of each lung where its lower half hangs to the back."""
    person, deep = chest.person, random.uniform(*depth_mm)
    uneven = waves(random, wavelengths_mm=(30, 80), count=4)

    def low_and_back(points: Points) -> Distance:
        return 0.6 * (points.z + points.y * np.float32(0.8)) + np.float32(12 * person.tall) * (
            1 + uneven(points)
        )

    lungs = {side: chest.organs.lungs[side] for side in chest.sides}
    return union(
        *(
            common(rind(chest, side, deep), Shape(lung.low, lung.high, low_and_back))
            for side, lung in lungs.items()
        )
    )


def _diffuse(
    chest: Chest,
    part: Callable[[Shape], Shape],
    field: Field,
    threshold: Number,
    mm_per_unit: Number,
    tissue: Tissue,
    mix: Mix,
) -> Lesion:
    lungs = [part(chest.organs.lungs[side]) for side in chest.sides]
    shapes = [where_above(lung, field, threshold, mm_per_unit) for lung in lungs]
    return _in_lungs(chest, union(*shapes), tissue, mix)


def _in_lungs(chest: Chest, shape: Shape, tissue: Tissue, mix: Mix) -> Lesion:
    return Lesion(shape, tissue, lungs_location(chest.sides), side_words(chest.sides), mix=mix)
