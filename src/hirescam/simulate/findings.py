"""Findings: what can be wrong in a simulated chest, one small function each.

A finding is placed in millimetres, whatever the grid. To add one: write its function, add its
row to `FINDINGS` and its wording to `sentences.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float

from hirescam.simulate.canvas import Tissue
from hirescam.simulate.lobes import LOBES, lobe_of, lobe_shape
from hirescam.simulate.organs import AORTA, Organs, lines, places_within
from hirescam.simulate.physique import SIDES, Physique
from hirescam.simulate.shapes import (
    Distance,
    Number,
    Points,
    Shape,
    cloud,
    common,
    ellipsoid,
    grown,
    union,
    without,
)
from hirescam.simulate.tissues import HEART
from hirescam.simulate.trunk import CAVITY_FRONT_MM, CAVITY_MM
from hirescam.simulate.tubes import Tubes, solid, tube


@dataclass(frozen=True, eq=False)
class Chest:
    """A person laid out in millimetres, before any voxel."""

    person: Physique
    organs: Organs
    branches: dict[str, tuple[Tubes, Tubes]]


@dataclass(frozen=True, eq=False)
class Lesion:
    """A finding with its place, its tissue and the words that its sentences need."""

    shape: Shape
    tissue: Tissue
    side: str | None = None
    words: dict[str, str] = field(default_factory=dict)


Placing = Callable[[Chest, np.random.Generator, Sequence[Lesion]], Lesion]
Change = Callable[[Physique, np.random.Generator], Physique]


@dataclass(frozen=True)
class Finding:
    """A row of `FINDINGS`: how it is placed, and how it changes the person beforehand."""

    place: Placing
    change: Change = lambda person, random: person


def pleural_effusion(
    chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]
) -> Lesion:
    """Fluid that has sunk to the back of one or both pleural spaces."""
    sides = [("right",), ("left",), ("right", "left")][random.integers(3)]
    depths = {side: random.uniform(24, 55) for side in sides}
    deepest = max(depths.values())
    size = "small" if deepest < 32 else "moderate" if deepest < 45 else "large"
    side = sides[0] if len(sides) == 1 else "both"
    pools = [_pool(chest, side, depth) for side, depth in depths.items()]
    words = {"side": "bilateral" if side == "both" else side, "size": size}
    return Lesion(union(*pools), random.uniform(4, 16), side, words)


def _pool(chest: Chest, side: str, depth_mm: float) -> Shape:
    person, lung = chest.person, chest.organs.lungs[side]
    back = CAVITY_FRONT_MM - CAVITY_MM[1] * person.deep
    middle, base = SIDES[side] * 66 * person.wide, (person.right_dome_mm - 40) * person.tall

    def above_level(points: Points) -> Distance:
        higher = np.clip((points.z - np.float32(base)) / 170, 0, 1.1)
        aside = (points.x - np.float32(middle)) / 60
        level = back + depth_mm * (1 - higher) + 13 * aside * aside - 6
        return 0.9 * (points.y - level.astype(np.float32))

    return common(lung, Shape(lung.low, lung.high, above_level))


def consolidation(
    chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]
) -> Lesion:
    """Patchy filling of a part of one lobe; the bronchi in it stay open."""
    side = str(random.choice(list(SIDES)))
    lobe = str(random.choice(LOBES[side]))
    lung = chest.organs.lungs[side]
    part = lobe_shape(chest.person, lung, side, lobe)
    centre = _room_for(12.0, part, random)
    waves = _waves(random, wavelengths_mm=(14, 45), count=9)
    whole = ellipsoid(centre, random.uniform(30, 48, 3))
    ragged = Shape(
        whole.low - 14,
        whole.high + 14,
        lambda points: whole.distance(points) + 13 * waves(points),
    )
    _, bronchi = chest.branches[side]
    shape = without(common(part, ragged), solid(bronchi))
    density = random.uniform(-15, 20)
    return Lesion(
        shape,
        lambda points, distance: density + 18 * waves(points),
        side,
        {"side": side, "lobe": f"{side} {lobe} lobe"},
    )


def nodule(chest: Chest, random: np.random.Generator, others: Sequence[Lesion]) -> Lesion:
    """A rounded soft-tissue nodule with a slightly irregular edge, wholly inside a lung."""
    side = str(random.choice(list(SIDES)))
    radius = random.uniform(6, 25) / 2
    lung = chest.organs.lungs[side]
    free = without(grown(lung, -1), *(grown(each.shape, 3) for each in others))
    centre = _room_for(1.3 * radius, free, random)
    waves = _waves(random, wavelengths_mm=(1.3 * radius, 3 * radius), count=5)
    smooth = ellipsoid(centre, radius * random.uniform(0.92, 1.08, 3))
    bumpy = Shape(
        smooth.low - 0.2 * radius,
        smooth.high + 0.2 * radius,
        lambda points: smooth.distance(points) + np.float32(0.1 * radius) * waves(points),
    )
    lobe = lobe_of(chest.person, centre, side)
    words = {"side": side, "lobe": f"{side} {lobe} lobe", "size": f"{2 * radius:.0f} mm"}
    return Lesion(bumpy, random.uniform(20, 60), side, words)


def cardiomegaly(
    chest: Chest, _random: np.random.Generator, _others: Sequence[Lesion]
) -> Lesion:
    """The heart itself, which was enlarged before the lungs were laid around it."""
    heart = chest.organs.heart
    return Lesion(heart, HEART)


def enlarged_heart(person: Physique, random: np.random.Generator) -> Physique:
    """A heart 1.25 to 1.45 times the reference in every direction."""
    return replace(person, heart=random.uniform(1.25, 1.45))


def aortic_calcification(
    chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]
) -> Lesion:
    """Plaques along the wall of the arch and the descending aorta."""
    course = lines(chest.person, AORTA, thickness=chest.person.aorta)
    lowest = (chest.person.right_dome_mm - 5) * chest.person.tall
    usable = np.flatnonzero((course.end[:, 2] > lowest) & (np.arange(len(course.end)) > 3))
    chosen = random.choice(usable, random.integers(5, 10)).tolist()
    plaques = [_plaque(course, segment, random) for segment in chosen]
    shape = common(union(*plaques), grown(chest.organs.aorta, 1.2))
    return Lesion(shape, random.uniform(550, 850))


def _plaque(course: Tubes, segment: int, random: np.random.Generator) -> Shape:
    along = course.end[segment] - course.start[segment]
    along /= np.linalg.norm(along)
    outward = np.cross(along, random.normal(size=3))
    outward /= np.linalg.norm(outward)
    centre = course.start[segment] + outward * (course.start_radius[segment] - 0.4)
    axes = np.array([along, np.cross(along, outward), outward])
    long, wide = random.uniform(3, 10, 2) / 2
    return _visible(centre, (max(long, wide), max(1.5, 0.6 * wide), 1.3), axes)


def _visible(
    centre: Float[np.ndarray, "3"], radii: Sequence[Number], axes: np.ndarray
) -> Shape:
    """An ellipsoid drawn at least one voxel thick."""

    def distance(points: Points) -> Distance:
        drawn = np.maximum(radii, 0.6 * points.width_mm)
        return ellipsoid(centre, drawn, axes).distance(points)

    whole = ellipsoid(centre, radii, axes)
    return Shape(whole.low - 3, whole.high + 3, distance)


def central_catheter(
    chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]
) -> Lesion:
    """A line from the right side of the neck through the superior vena cava."""
    neck = [(44, 4, 140), (34, 13, 78), (26, 14, 50)]
    tip = random.uniform(-44, -18)
    cava = [(25.5, 15, 12), (24, 13, tip)]
    places = np.array(neck + cava) * chest.person.scale
    line = tube(places, random.uniform(2.0, 2.5) / 2)
    words = {"tip": "the cavoatrial junction" if tip < -30 else "the mid superior vena cava"}
    return Lesion(solid(line, visible=True), random.uniform(1600, 2400), words=words)


# Placed in this order: a nodule keeps clear of what would hide it.
FINDINGS = {
    "heart_cardiomegaly": Finding(cardiomegaly, enlarged_heart),
    "great_vessel_calcification": Finding(aortic_calcification),
    "great_vessel_catheter_or_port": Finding(central_catheter),
    "lung_pleural_effusion": Finding(pleural_effusion),
    "lung_consolidation": Finding(consolidation),
    "lung_nodule": Finding(nodule),
}


def _room_for(
    radius_mm: float, shape: Shape, random: np.random.Generator
) -> Float[np.ndarray, "3"]:
    """The centre of a ball that lies inside a shape, or sticks out least among many tries."""
    centres = places_within(shape, random, 150)
    rays = random.normal(size=(40, 3))
    rays *= radius_mm / np.linalg.norm(rays, axis=1, keepdims=True)
    probes = centres[:, None] + np.concatenate([rays, rays / 2])
    outside = (shape.distance(cloud(probes.reshape(-1, 3))) >= 0).reshape(probes.shape[:2])
    return centres[outside.sum(axis=1).argmin()]


def _waves(
    random: np.random.Generator, *, wavelengths_mm: tuple[Number, Number], count: int
) -> Callable[[Points], np.ndarray]:
    """A smooth random texture of about unit height, the same on any grid."""
    directions = random.normal(size=(count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    per_mm = 2 * np.pi / random.uniform(*wavelengths_mm, count)
    fronts = (directions * per_mm[:, None]).astype(np.float32)
    phases = random.uniform(0, 2 * np.pi, count).astype(np.float32)

    def texture(points: Points) -> np.ndarray:
        out = np.zeros(points.shape, np.float32)
        for (a, b, c), phase in zip(fronts, phases, strict=True):
            out += np.sin(points.x * a + (points.y * b + (points.z * c + phase)))
        return out * np.float32(1 / np.sqrt(count))

    return texture
