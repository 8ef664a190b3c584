"""Airspace: alveoli filled in patches, from ground glass to consolidation."""

from collections.abc import Sequence

import numpy as np

from hirescam.simulation.canvas import Mix, denser, over
from hirescam.simulation.findings.kinds import Chest, Lesion
from hirescam.simulation.findings.spots import (
    any_lobe,
    any_side,
    lobe,
    lobe_location,
    lobe_words,
    lungs_location,
    room_for,
    side_words,
)
from hirescam.simulation.findings.texture import Field, waves
from hirescam.simulation.organs import hilum
from hirescam.simulation.shapes import (
    Number,
    Place,
    Points,
    Shape,
    common,
    ellipsoid,
    union,
    without,
)
from hirescam.simulation.tubes import solid

Range = tuple[Number, Number]


def filled_lobe(
    chest: Chest,
    random: np.random.Generator,
    _others: Sequence[Lesion],
    *,
    hu: Range = (-15, 20),
    texture_hu: Number = 18,
    radius_mm: Range = (30, 48),
    lobes: Sequence[str] = (),
    mix: Mix = over,
) -> Lesion:
    """Patchy filling of a part of one lobe; the bronchi in it stay open."""
    side = any_side(chest, random)
    name = str(random.choice(lobes)) if lobes else any_lobe(side, random)
    part = lobe(chest, side, name)
    shape, uneven = _ragged(room_for(12.0, part, random), radius_mm, random)
    _, bronchi = chest.branches[side]
    open_bronchi = without(common(part, shape), solid(bronchi))
    density = random.uniform(*hu)
    return Lesion(
        open_bronchi,
        lambda points, distance: np.float32(density) + np.float32(texture_hu) * uneven(points),
        (lobe_location(side, name),),
        lobe_words(side, name),
        mix=mix,
    )


def patches(
    chest: Chest,
    random: np.random.Generator,
    _others: Sequence[Lesion],
    *,
    hu: Range,
    radius_mm: Range = (16, 30),
    count: int = 3,
) -> Lesion:
    """Several patches in every lung, denser than what they lie on."""
    parts = []
    for side in chest.sides:
        lung = chest.organs.lungs[side]
        for _ in range(count):
            shape, _ = _ragged(room_for(10.0, lung, random), radius_mm, random)
            parts.append(common(shape, lung))
    return _in_all_lungs(chest, union(*parts), hu, random)


def around_hila(
    chest: Chest, random: np.random.Generator, _others: Sequence[Lesion], *, hu: Range
) -> Lesion:
    """Haze that spreads like wings from where the vessels enter the lungs."""
    wings = []
    for side in chest.sides:
        outward = np.sign(hilum(chest.person, side)[0]) * np.array([22.0, 0, 0])
        shape, _ = _ragged(hilum(chest.person, side) + outward, (48, 62), random)
        wings.append(common(shape, chest.organs.lungs[side]))
    return _in_all_lungs(chest, union(*wings), hu, random)


def _ragged(
    centre: Place, radius_mm: Range, random: np.random.Generator
) -> tuple[Shape, Field]:
    uneven = waves(random, wavelengths_mm=(14, 45), count=9)
    whole = ellipsoid(centre, random.uniform(*radius_mm, 3))
    reach = 0.3 * float(np.mean(radius_mm))

    def distance(points: Points) -> np.ndarray:
        return whole.distance(points) + np.float32(reach) * uneven(points)

    return Shape(whole.low - reach, whole.high + reach, distance), uneven


def _in_all_lungs(chest: Chest, shape: Shape, hu: Range, random: np.random.Generator) -> Lesion:
    density, uneven = random.uniform(*hu), waves(random, wavelengths_mm=(10, 40), count=5)
    return Lesion(
        shape,
        lambda points, distance: np.float32(density) + np.float32(35) * uneven(points),
        lungs_location(chest.sides),
        side_words(chest.sides),
        mix=denser,
    )
