"""What a finding is, where its lesions can be put, and the textures that they are cut from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Float32

from hirescam.simulation.organs import (
    LOBES,
    Branches,
    Organs,
    lobe_of,
    lobe_shape,
    places_within,
)
from hirescam.simulation.painting import Mix, Tissue, over
from hirescam.simulation.shapes import (
    Distance,
    Grid,
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
from hirescam.simulation.trunk import Physique


@dataclass(frozen=True, eq=False)
class Chest:
    """A person laid out in millimetres, before any voxel; a lung that is gone has no side."""

    person: Physique
    organs: Organs
    branches: dict[str, Branches]

    @property
    def sides(self) -> tuple[str, ...]:
        return tuple(side for side in self.organs.lungs if side != self.person.missing_lung)


@dataclass(frozen=True, eq=False)
class Lesion:
    """One finding with its place, its tissue and the words that its sentences need.

    `locations` are the most exact that a report would name, as SARLE spells them
    ("right_upper", "aorta"); `also` are abnormalities that only some lesions of a finding
    show, such as nodules that measure more than a centimetre.
    """

    shape: Shape
    tissue: Tissue
    locations: tuple[str, ...]
    words: dict[str, str] = field(default_factory=dict)
    also: tuple[str, ...] = ()
    mix: Mix = over

    @property
    def side(self) -> str | None:
        """On which side of the lungs it lies: "right", "left" or "both"."""
        sides = {each.split("_")[0] for each in self.locations} & {"right", "left"}
        return "both" if len(sides) == 2 else next(iter(sides), None)


Placing = Callable[[Chest, np.random.Generator, Sequence[Lesion]], Lesion]
Change = Callable[[Physique, np.random.Generator], Physique]


def unchanged(person: Physique, random: np.random.Generator) -> Physique:
    """Most findings leave the organs where they were."""
    return person


@dataclass(frozen=True)
class Finding:
    """A row of `FINDINGS`: how it is placed, and how it changes the person beforehand.

    `abnormalities` are all that its sentences say; its label's own comes first. Only what
    needs no more than lungs can be inserted into a real scan.
    """

    place: Placing
    abnormalities: tuple[str, ...]
    change: Change = unchanged
    needs_only_lungs: bool = False


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


Field = Callable[[Points], np.ndarray]


def waves(
    random: np.random.Generator, *, wavelengths_mm: tuple[Number, Number], count: int
) -> Field:
    """A smooth random field of about unit height: many plane waves together."""
    directions = random.normal(size=(count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    per_mm = 2 * np.pi / random.uniform(*wavelengths_mm, count)
    fronts = (directions * per_mm[:, None]).astype(np.float32)
    phases = random.uniform(0, 2 * np.pi, count).astype(np.float32)
    height = np.float32(1 / np.sqrt(count))

    def texture(points: Points) -> np.ndarray:
        if isinstance(points, Grid):
            return _on_grid(points, fronts, phases) * height
        places = np.stack([points.x, points.y, points.z], axis=1)
        return np.sin(places @ fronts.T + phases).sum(axis=1) * height

    return texture


def _on_grid(
    grid: Grid, fronts: Float32[np.ndarray, "wave 3"], phases: Float32[np.ndarray, "wave"]
) -> Float32[np.ndarray, "slice row column"]:
    """The sum of the waves, by the addition theorem one product of two matrices."""
    along_x, along_y, along_z = fronts[:, None].T
    across = along_x * grid.x.reshape(-1, 1)
    down = along_z * grid.z.reshape(-1, 1, 1) + along_y * grid.y.reshape(-1, 1) + phases
    left = np.concatenate([np.sin(down), np.cos(down)], axis=-1)
    right = np.concatenate([np.cos(across), np.sin(across)], axis=-1)
    return left @ right.T


def lattice(random: np.random.Generator, *, period_mm: Number) -> Field:
    """Rounded cells side by side, 1 in the middle of each and below 0 in the walls between.

    A body-centred product of cosines, bent by waves so that no two cells are alike.
    """
    lengths = (1.5 * period_mm, 5 * period_mm)
    bends = [waves(random, wavelengths_mm=lengths, count=8) for _ in range(3)]
    per_mm = np.float32(2 * np.pi / period_mm)
    start = random.uniform(0, 2 * np.pi, 3).astype(np.float32)

    def texture(points: Points) -> np.ndarray:
        x, y, z = (
            np.cos(values * per_mm + (at + bend(points)))
            for values, at, bend in zip(
                (points.x, points.y, points.z), start, bends, strict=True
            )
        )
        return (x * y + y * z + z * x) * np.float32(1 / 3)

    return texture


def net(random: np.random.Generator, *, period_mm: Number) -> Field:
    """Crossing sheets that come and go: 0 on them, 1 and more between (a bent gyroid)."""
    lengths = (1.5 * period_mm, 6 * period_mm)
    bends = [waves(random, wavelengths_mm=lengths, count=8) for _ in range(3)]
    gaps = waves(random, wavelengths_mm=(period_mm, 3 * period_mm), count=12)
    per_mm = np.float32(2 * np.pi / period_mm)

    def texture(points: Points) -> np.ndarray:
        x, y, z = (
            values * per_mm + np.float32(1.5) * bend(points)
            for values, bend in zip((points.x, points.y, points.z), bends, strict=True)
        )
        sheet = np.sin(x) * np.cos(y) + np.sin(y) * np.cos(z) + np.sin(z) * np.cos(x)
        return np.abs(sheet) + np.maximum(gaps(points) - np.float32(0.4), 0)

    return texture


def where_above(shape: Shape, field: Field, threshold: Number, mm_per_unit: Number) -> Shape:
    """The part of a shape in which a field exceeds a threshold."""

    def distance(points: Points) -> Distance:
        part = (np.float32(threshold) - field(points)) * np.float32(mm_per_unit)
        return np.maximum(shape.distance(points), part)

    return Shape(shape.low, shape.high, distance)
