"""Surgery and devices: what operations leave or take away, catheters, pacemakers and tubes."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from hirescam.simulation.findings.heart import coronary
from hirescam.simulation.findings.kinds import (
    Chest,
    Lesion,
    any_side,
    lobe_at,
    lobe_location,
    lobe_words,
    lungs_location,
    room_for,
    side_words,
    visible,
    waves,
)
from hirescam.simulation.organs import heart_middle, hilum, places_within
from hirescam.simulation.shapes import (
    Number,
    Place,
    Shape,
    Triple,
    ball,
    common,
    ellipsoid,
    grown,
    union,
)
from hirescam.simulation.trunk import CAVITY_FRONT_MM, CAVITY_MM, SIDES, Physique
from hirescam.simulation.tubes import joined, solid, tube

_METAL = (1800.0, 2800.0)
_CLIP_MM = (3.2, 1.1, 1.1)


def sternal_wires(
    chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]
) -> Lesion:
    """Wire loops around the sternum."""
    return Lesion(_wires(chest), random.uniform(*_METAL), ("heart",))


def bypass_clips(
    chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]
) -> Lesion:
    """Clips along bypass vessels on the front of the heart, and wires in the sternum."""
    places = coronary(chest, "left anterior descending").start[2::3]
    chain = np.linspace(places[0], _behind_sternum(chest, 10), 7)
    return Lesion(
        union(_wires(chest), _clips([*places, *chain], random)),
        random.uniform(*_METAL),
        ("heart",),
    )


def heart_clips(chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]) -> Lesion:
    """Clips on the pericardium."""
    surface = common(grown(chest.organs.heart, 3), grown(chest.organs.room, -3))
    places = places_within(surface, random, 60)
    return Lesion(
        _clips(places[np.argsort(-places[:, 1])][:7], random),
        random.uniform(*_METAL),
        ("heart",),
    )


def new_heart(chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]) -> Lesion:
    """A ring of clips where the great vessels were joined, and wires in the sternum."""
    turn = np.linspace(0, 2 * np.pi, 10)[:, None]
    aorta = np.array([14, 28, -10]) * chest.person.scale + chest.person.shift
    ring = aorta + 17 * (np.cos(turn) * [1.0, 0, 0] + np.sin(turn) * [0, 0.9, 0.3])
    shape = union(_wires(chest), _clips(ring, random))
    return Lesion(shape, random.uniform(*_METAL), ("heart",))


def new_lungs(chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]) -> Lesion:
    """Clips around the bronchi where both lungs were joined."""
    rings = [
        hilum(chest.person, side)
        + np.array([SIDES[side] * 16, 0, 0])
        + random.normal(scale=6, size=(7, 3))
        for side in chest.sides
    ]
    shape = _clips(np.concatenate(rings), random)
    words = side_words(chest.sides)
    return Lesion(shape, random.uniform(*_METAL), lungs_location(chest.sides), words)


def lung_clip(chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]) -> Lesion:
    """Two or three clips in a lung."""
    return _in_lobe(chest, random, lambda centre: _clips(_near(centre, 3, 5, random), random))


def staple_line(chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]) -> Lesion:
    """A chain of staples where a piece of lung was cut off."""
    return _in_lobe(
        chest, random, lambda centre: _clips(_row(centre, 11, 3.2, random), random, 0.6)
    )


def suture_line(chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]) -> Lesion:
    """A thin dense thread in a lung."""
    return _in_lobe(
        chest,
        random,
        lambda centre: solid(tube(_row(centre, 6, 6.0, random), 0.9), visible=True),
    )


def distorted_lung(
    chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]
) -> Lesion:
    """Staples within strands of soft tissue."""
    uneven = waves(random, wavelengths_mm=(6, 16), count=5)

    def scar(centre: Place) -> Shape:
        whole = ball(centre, 15)
        ragged = Shape(
            whole.low,
            whole.high,
            lambda points: whole.distance(points) + 9 + 7 * uneven(points),
        )
        return union(ragged, _clips(_row(centre, 8, 3.4, random), random, 0.6))

    return replace(
        _in_lobe(chest, random, scar),
        tissue=lambda points, distance: np.float32(60) + 25 * uneven(points),
    )


def empty_side(chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]) -> Lesion:
    """The space that a removed lung has left, filled with fluid."""
    side = chest.person.missing_lung
    shape = chest.organs.lungs[side]
    return Lesion(shape, random.uniform(5, 18), lungs_location((side,)), side_words((side,)))


def one_lung_removed(person: Physique, random: np.random.Generator) -> Physique:
    """One lung gone, and the mediastinum drawn to its side."""
    side = str(random.choice(list(SIDES)))
    shift = SIDES[side] * random.uniform(16, 26)
    return replace(person, missing_lung=side, shift_mm=shift)


def _wires(chest: Chest) -> Shape:
    turn = np.linspace(0, 2 * np.pi, 10)[:, None]
    loop = np.cos(turn) * [15.0, 0, 0] + np.sin(turn) * [0, 8.0, 0]
    heights = np.linspace(34, -88, 6) * chest.person.tall
    wires = (tube(_in_sternum(chest, height) + loop, 0.8) for height in heights)
    return solid(joined(*wires), visible=True)


def _in_sternum(chest: Chest, height_mm: Number) -> np.ndarray:
    front = CAVITY_FRONT_MM + CAVITY_MM[1] * chest.person.deep
    return np.array([0.0, front + (4 if height_mm < 0 else 0), height_mm])


def _behind_sternum(chest: Chest, height_mm: Number) -> np.ndarray:
    return _in_sternum(chest, height_mm) - np.array([12.0, 16, 0])


def _clips(
    places: Sequence[np.ndarray] | np.ndarray, random: np.random.Generator, size: Number = 1.0
) -> Shape:
    radii = [size * length for length in _CLIP_MM]
    axes = (np.linalg.qr(random.normal(size=(3, 3)))[0] for _ in places)
    return union(
        *(visible(place, radii, turn) for place, turn in zip(places, axes, strict=True))
    )


def _near(
    centre: Place, count: int, spread_mm: Number, random: np.random.Generator
) -> np.ndarray:
    return centre + random.normal(scale=spread_mm, size=(count, 3))


def _row(centre: Place, count: int, step_mm: Number, random: np.random.Generator) -> np.ndarray:
    along = random.normal(size=3) * (1, 1, 0.5)
    along *= step_mm / np.linalg.norm(along)
    steps = np.arange(count)[:, None] - (count - 1) / 2
    return centre + steps * along + random.normal(scale=0.6, size=(count, 3))


def _in_lobe(
    chest: Chest, random: np.random.Generator, build: Callable[[Place], Shape]
) -> Lesion:
    side = any_side(chest, random)
    lung = chest.organs.lungs[side]
    centre = room_for(16, lung, random)
    name = lobe_at(chest, centre, side)
    return Lesion(
        common(build(centre), lung),
        random.uniform(*_METAL),
        (lobe_location(side, name),),
        lobe_words(side, name),
    )


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
