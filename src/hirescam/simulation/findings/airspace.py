"""Airspaces and airways: consolidation, haze, bronchi, atelectasis, bands and scars."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from hirescam.simulation.findings.kinds import (
    Chest,
    Field,
    Lesion,
    any_lobe,
    any_side,
    lobe,
    lobe_at,
    lobe_location,
    lobe_words,
    lungs_location,
    rind,
    room_for,
    side_words,
    some_sides,
    waves,
)
from hirescam.simulation.organs import hilum
from hirescam.simulation.painting import Mix, denser, over
from hirescam.simulation.shapes import (
    Distance,
    Number,
    Place,
    Points,
    Shape,
    common,
    ellipsoid,
    union,
    without,
)
from hirescam.simulation.tubes import Tubes, solid

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


def thick_walls(
    chest: Chest,
    _random: np.random.Generator,
    _others: Sequence[Lesion],
    *,
    widened: Number = 1.0,
    wall_mm: Number = 1.8,
) -> Lesion:
    """Bronchi of all lungs with a wall that shows, around a lumen that may be widened."""

    def tissue(points: Points, distance: Distance) -> np.ndarray:
        return np.interp(-distance, [wall_mm - 0.4, wall_mm + 0.4], [0.0, -990.0]).astype(
            np.float32
        )

    walls = [
        common(solid(_wider(chest, side, widened, wall_mm)), chest.organs.lungs[side])
        for side in chest.sides
    ]
    words = side_words(chest.sides)
    return Lesion(union(*walls), tissue, lungs_location(chest.sides), words)


def mucous_plugging(
    chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]
) -> Lesion:
    """The bronchi of one lung filled, and a little wider for it."""
    side = any_side(chest, random)
    plugs = common(solid(_wider(chest, side, 1.2, 0.8)), chest.organs.lungs[side])
    words = side_words((side,))
    return Lesion(plugs, random.uniform(10, 40), lungs_location((side,)), words)


def _wider(chest: Chest, side: str, factor: Number, wall_mm: Number) -> Tubes:
    _, bronchi = chest.branches[side]
    return replace(
        bronchi,
        start_radius=bronchi.start_radius * factor + wall_mm,
        end_radius=bronchi.end_radius * factor + wall_mm,
    )


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
