"""Surgery: what operations leave behind: wires, clips, staples, grafts and gaps."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from hirescam.simulation.findings.heart import coronary
from hirescam.simulation.findings.kinds import Chest, Lesion
from hirescam.simulation.findings.spots import (
    any_side,
    lobe_at,
    lobe_location,
    lobe_words,
    lungs_location,
    room_for,
    side_words,
    visible,
)
from hirescam.simulation.findings.texture import waves
from hirescam.simulation.organs import hilum, places_within
from hirescam.simulation.physique import SIDES, Physique
from hirescam.simulation.shapes import Number, Place, Shape, ball, common, grown, union
from hirescam.simulation.trunk import CAVITY_FRONT_MM, CAVITY_MM
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
