"""Nodules: rounded things in a lung, from calcified specks to cavities and masses."""

from collections.abc import Sequence

import numpy as np

from hirescam.simulation.findings.kinds import (
    Chest,
    Lesion,
    any_side,
    free_lung,
    lobe_at,
    lobe_location,
    lobe_words,
    lungs_location,
    rind,
    room_for,
    side_words,
    visible,
    waves,
)
from hirescam.simulation.organs import hilum, places_within
from hirescam.simulation.painting import Mix, Tissue, over, thinner
from hirescam.simulation.shapes import (
    Number,
    Shape,
    ball,
    common,
    ellipsoid,
    grown,
    union,
)
from hirescam.simulation.tubes import Tubes, solid

Range = tuple[Number, Number]
_LARGE_MM = 10.0


def nodule(
    chest: Chest,
    random: np.random.Generator,
    others: Sequence[Lesion],
    *,
    diameter_mm: Range,
    hu: Range = (20, 60),
    bumps: Number = 0.1,
    spicules: int = 0,
    counts_as_nodule: bool = True,
) -> Lesion:
    """A rounded lesion with a slightly irregular edge, wholly inside a lung."""
    side = any_side(chest, random)
    radius = random.uniform(*diameter_mm) / 2
    centre = room_for(1.3 * radius, free_lung(chest, side, others), random)
    shape = _bumpy(centre, radius, bumps, random)
    if spicules:
        rays = _spicules(centre, radius, spicules, random)
        shape = common(union(shape, rays), grown(chest.organs.lungs[side], -0.5))
    large = counts_as_nodule and round(2 * radius) > _LARGE_MM
    return _reported(
        chest,
        side,
        centre,
        2 * radius,
        shape,
        random.uniform(*hu),
        ("nodulegr1cm",) if large else (),
    )


def hollow(
    chest: Chest,
    random: np.random.Generator,
    others: Sequence[Lesion],
    *,
    diameter_mm: Range,
    wall_mm: Range,
    mix: Mix = over,
) -> Lesion:
    """Air within a wall: a cyst where it is thin, a cavity where it is thick."""
    side = any_side(chest, random)
    radius, wall = random.uniform(*diameter_mm) / 2, random.uniform(*wall_mm)
    centre = room_for(1.2 * radius, free_lung(chest, side, others), random)
    shape = _bumpy(centre, radius, 0.05, random)
    edge = np.array([0.6, 1.4]) + wall

    def tissue(points: object, distance: np.ndarray) -> np.ndarray:
        return np.interp(-distance, edge, [25.0, -990.0]).astype(np.float32)

    inside: Tissue = tissue if wall else -985.0
    return _reported(chest, side, centre, 2 * radius, shape, inside, (), mix)


def lucency(chest: Chest, random: np.random.Generator, others: Sequence[Lesion]) -> Lesion:
    """A place without lung tissue, without a wall."""
    return hollow(chest, random, others, diameter_mm=(18, 42), wall_mm=(0, 0), mix=thinner)


def hazy(
    chest: Chest,
    random: np.random.Generator,
    others: Sequence[Lesion],
    *,
    diameter_mm: Range,
    hu: Range,
) -> Lesion:
    """An ill-defined cloud, densest in the middle."""
    side = any_side(chest, random)
    radius = random.uniform(*diameter_mm) / 2
    centre = room_for(radius, free_lung(chest, side, others), random)
    shape = _bumpy(centre, radius, 0.2, random)
    shape = common(shape, chest.organs.lungs[side])
    deep, faint = random.uniform(*hu), -760.0

    def tissue(points: object, distance: np.ndarray) -> np.ndarray:
        return np.interp(-distance, [0.0, 0.6 * radius], [faint, deep]).astype(np.float32)

    return _reported(chest, side, centre, 2 * radius, shape, tissue, (), np.maximum)


def on_pleura(chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]) -> Lesion:
    """Soft tissue that sits on the pleura."""
    side = any_side(chest, random)
    lung = chest.organs.lungs[side]
    radius = random.uniform(8, 16)
    centre = _first(places_within(rind(chest, side, 4), random, 40), lung)
    shape = common(_bumpy(centre, radius, 0.1, random), lung)
    return _reported(chest, side, centre, 2 * radius, shape, random.uniform(20, 50))


def lung_node(chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]) -> Lesion:
    """An enlarged lymph node where the bronchi enter the lung."""
    side = any_side(chest, random)
    lung, radius = chest.organs.lungs[side], random.uniform(6, 10)
    near = common(grown(lung, -1.1 * radius), ball(hilum(chest.person, side), 45))
    centre = _first(places_within(near, random, 40), near)
    shape = common(ellipsoid(centre, radius * random.uniform(0.85, 1.15, 3)), lung)
    return _reported(chest, side, centre, 2 * radius, shape, random.uniform(20, 45))


def scattered(
    chest: Chest,
    random: np.random.Generator,
    _others: Sequence[Lesion],
    *,
    diameter_mm: Range,
    hu: Range,
) -> Lesion:
    """Many small balls in all lungs."""
    balls = [
        visible(place, (random.uniform(*diameter_mm) / 2,) * 3)
        for side in chest.sides
        for place in places_within(
            grown(chest.organs.lungs[side], -4), random, int(random.integers(5, 10))
        )
    ]
    words = side_words(chest.sides)
    return Lesion(union(*balls), random.uniform(*hu), lungs_location(chest.sides), words)


def tree_in_bud(chest: Chest, random: np.random.Generator, others: Sequence[Lesion]) -> Lesion:
    """Clusters of tiny nodules with the twigs that carry them."""
    side = any_side(chest, random)
    lung = chest.organs.lungs[side]
    centre = room_for(18, free_lung(chest, side, others), random)
    buds = centre + random.normal(scale=8, size=(36, 3))
    stems = buds + random.normal(scale=3.5, size=buds.shape)
    twigs = Tubes(stems, buds, np.full(len(buds), 0.7), np.full(len(buds), 0.9))
    balls = (visible(place, (random.uniform(1.3, 2.3),) * 3) for place in buds)
    shape = common(union(solid(twigs, visible=True), *balls), lung)
    return _reported(chest, side, centre, 18.0, shape, random.uniform(-50, 30))


def _bumpy(
    centre: np.ndarray, radius: Number, bumps: Number, random: np.random.Generator
) -> Shape:
    uneven = waves(random, wavelengths_mm=(1.3 * radius, 3 * radius), count=5)
    smooth = ellipsoid(centre, radius * random.uniform(0.92, 1.08, 3))
    return Shape(
        smooth.low - 2 * bumps * radius,
        smooth.high + 2 * bumps * radius,
        lambda points: smooth.distance(points) + np.float32(bumps * radius) * uneven(points),
    )


def _spicules(
    centre: np.ndarray, radius: Number, count: int, random: np.random.Generator
) -> Shape:
    rays = random.normal(size=(count, 3))
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    ends = centre + rays * (radius * random.uniform(1.3, 1.8, (count, 1)))
    thick = np.full(count, 0.12 * radius)
    return solid(Tubes(centre + 0.8 * radius * rays, ends, thick, np.full(count, 0.3)))


def _first(places: np.ndarray, otherwise: Shape) -> np.ndarray:
    return places[0] if len(places) else (otherwise.low + otherwise.high) / 2


def _reported(
    chest: Chest,
    side: str,
    centre: np.ndarray,
    diameter_mm: Number,
    shape: Shape,
    tissue: Tissue,
    also: tuple[str, ...] = (),
    mix: Mix = over,
) -> Lesion:
    lobe = lobe_at(chest, centre, side)
    words = lobe_words(side, lobe) | size_words(diameter_mm)
    return Lesion(shape, tissue, (lobe_location(side, lobe),), words, also, mix)


def size_words(diameter_mm: Number) -> dict[str, str]:
    """A size in the unit that a radiologist would choose."""
    whole = round(diameter_mm)
    size = f"{whole} mm" if whole < 20 or whole % 2 else f"{whole / 10:.1f} cm"
    return {"size": size}
