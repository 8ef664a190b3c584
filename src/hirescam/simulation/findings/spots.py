"""Spots: where in a chest a finding can be put, and what a report calls that place."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from hirescam.simulation.findings.kinds import Chest, Lesion
from hirescam.simulation.lobes import LOBES, lobe_of, lobe_shape
from hirescam.simulation.organs import places_within
from hirescam.simulation.shapes import (
    Distance,
    Number,
    Place,
    Points,
    Shape,
    cloud,
    common,
    ellipsoid,
    grown,
    without,
)

SARLE_LOBE = {"upper": "upper", "middle": "mid", "lower": "lower"}


def any_side(chest: Chest, random: np.random.Generator) -> str:
    """A side that has a lung."""
    return str(random.choice(chest.sides))


def some_sides(chest: Chest, random: np.random.Generator) -> tuple[str, ...]:
    """The right, the left or both sides, of those that have a lung."""
    chosen = [("right",), ("left",), ("right", "left")][random.integers(3)]
    return tuple(side for side in chosen if side in chest.sides) or chest.sides


def any_lobe(side: str, random: np.random.Generator) -> str:
    """One of the lobes of a side."""
    return str(random.choice(LOBES[side]))


def lobe(chest: Chest, side: str, name: str) -> Shape:
    """One lobe of a lung."""
    return lobe_shape(chest.person, chest.organs.lungs[side], side, name)


def lobe_location(side: str, name: str) -> str:
    """A lobe as SARLE spells it."""
    return f"{side}_{SARLE_LOBE[name]}"


def lobe_words(side: str, name: str) -> dict[str, str]:
    """A lobe as a sentence names it."""
    return {"side": side, "lobe": f"{side} {name} lobe"}


def lungs_location(sides: Sequence[str]) -> tuple[str, ...]:
    """Whole lungs as SARLE spells them."""
    return tuple(f"{side}_lung" for side in sides)


def side_words(sides: Sequence[str]) -> dict[str, str]:
    """One side or both as a sentence names them."""
    if len(sides) == 2:
        return {"side": "bilateral", "lungs": "both lungs", "bases": "both lung bases"}
    (side,) = sides
    return {"side": side, "lungs": f"the {side} lung", "bases": f"the {side} lung base"}


def lobe_at(chest: Chest, place: Place, side: str) -> str:
    """The lobe in which a place lies."""
    return lobe_of(chest.person, place, side)


def free_lung(chest: Chest, side: str, others: Sequence[Lesion]) -> Shape:
    """A lung where no solid lesion would hide what is put there."""
    solid = [grown(each.shape, 3) for each in others if each.side]
    return without(grown(chest.organs.lungs[side], -1), *solid)


def room_for(
    radius_mm: Number, shape: Shape, random: np.random.Generator
) -> Float[np.ndarray, "3"]:
    """The centre of a ball that lies inside a shape, or sticks out least among many tries."""
    centres = places_within(shape, random, 150)
    if not len(centres):
        return (shape.low + shape.high) / 2
    rays = random.normal(size=(40, 3))
    rays *= radius_mm / np.linalg.norm(rays, axis=1, keepdims=True)
    probes = centres[:, None] + np.concatenate([rays, rays / 2])
    outside = (shape.distance(cloud(probes.reshape(-1, 3))) >= 0).reshape(probes.shape[:2])
    return centres[outside.sum(axis=1).argmin()]


def rind(chest: Chest, side: str, depth_mm: Number) -> Shape:
    """The outermost part of a lung, under the ribs."""
    cage = chest.organs.cage

    def within(points: Points) -> Distance:
        return np.float32(-depth_mm) - cage.distance(points)

    lung = chest.organs.lungs[side]
    return common(lung, Shape(lung.low, lung.high, within))


def onto_surface(shape: Shape, middle: Place, directions: np.ndarray) -> np.ndarray:
    """Where rays from within a shape leave it (rows of x, y, z)."""
    rays = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    reach = float(np.linalg.norm(shape.high - shape.low))
    near, far = np.zeros(len(rays)), np.full(len(rays), reach)
    for _ in range(14):
        half = (near + far) / 2
        inside = shape.distance(cloud(middle + rays * half[:, None])) < 0
        near, far = np.where(inside, half, near), np.where(inside, far, half)
    return middle + rays * near[:, None]


def visible(centre: Place, radii: Sequence[Number], axes: np.ndarray | None = None) -> Shape:
    """An ellipsoid drawn at least one voxel thick."""

    def distance(points: Points) -> Distance:
        drawn = np.maximum(radii, 0.87 * points.width_mm)
        return ellipsoid(centre, drawn, axes).distance(points)

    whole = ellipsoid(centre, radii, axes)
    return Shape(whole.low - 3, whole.high + 3, distance)
