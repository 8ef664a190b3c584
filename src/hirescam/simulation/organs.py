"""Organs: heart, great vessels, airways, and the lungs that fill what these leave."""

from dataclasses import dataclass

import numpy as np

from hirescam.simulation.physique import SIDES, Physique
from hirescam.simulation.shapes import (
    Number,
    Place,
    Shape,
    ball,
    cloud,
    column,
    common,
    ellipsoid,
    grown,
    remembered,
    union,
    without,
)
from hirescam.simulation.skeleton import CANAL_BACK_MM, LENGTH_MM, SPINE_BACK_MM
from hirescam.simulation.trunk import cavity, chest_room
from hirescam.simulation.tubes import Tubes, joined, solid, tree, tube

Course = tuple[tuple[tuple[Number, ...], ...], tuple[Number, ...]]  # places, and radii there

# Lines through great vessels of the reference chest (mm from the carina), and their radii.
AORTA = (
    ((-4, 20, -46), (14, 28, -22), (15, 26, 8), (4, 12, 31), (-13, -8, 34), (-24, -28, 18),
     (-25, -36, -20), (-23, -38, -80), (-14, -30, -190)),
    (15, 16, 15.5, 14.5, 13.5, 12.5, 12, 12, 11),
)  # fmt: skip
ASCENDING = 4  # the first places of the aorta
VEINS = (
    (((25, 14, 52), (25, 15, 0), (22, 10, -42)), (8, 9.5, 10)),  # superior cava
    (((-34, 24, 74), (-4, 32, 56), (24, 16, 46)), (6, 6, 7)),
    (((40, 8, 112), (34, 14, 76), (25, 14, 48)), (6, 6.5, 7.5)),
    (((24, 2, -84), (26, -6, -130), (22, -16, -200)), (11, 11, 11)),  # inferior cava
)
PULMONARY = (
    (((-14, 40, -46), (-20, 26, -22), (-24, 6, -14), (-44, -10, -14)), (14, 13.5, 12, 9)),
    (((-22, 16, -18), (2, 2, -18), (26, -2, -20), (46, -8, -24)), (13, 11, 10.5, 9)),
)
NECK_ARTERIES = (
    (((8, 14, 38), (16, 14, 66), (26, 8, 130)), (6, 6, 4)),
    (((-6, 4, 40), (-12, 6, 70), (-20, 4, 130)), (4, 4, 3.5)),
    (((-13, -8, 40), (-22, -8, 70), (-34, -2, 130)), (5, 5, 4)),
)
TRACHEA = (((0, 10, 150), (1, -4, 40), (2, -10, 0)), (8.5, 8.5, 8.5))
BRONCHI = {
    "right": (((2, -10, 2), (22, -13, -14), (40, -14, -30)), (8, 7, 5.5)),
    "left": (((2, -10, 2), (-24, -15, -16), (-46, -17, -30)), (7.5, 6, 5)),
}
OESOPHAGUS = (((-3, -18, 150), (-5, -23, 0), (-9, -24, -90), (-20, -14, -150)), (7, 7, 7, 8))
HILUM = {"right": (44, -10, -26), "left": (-45, -11, -20)}


@dataclass(frozen=True, eq=False)
class Organs:
    """Where the organs of one chest lie."""

    heart: Shape
    aorta: Shape
    veins: Shape
    pulmonary: Shape
    neck_arteries: Shape
    oesophagus: Shape
    airways: Shape
    room: Shape
    cage: Shape
    lungs: dict[str, Shape]


Branches = tuple[Tubes, Tubes]  # the vessels and the bronchi of one lung


def build_organs(person: Physique) -> Organs:
    """Lay out heart, vessels and airways; the lungs take the rest of the cavity."""
    room = chest_room(person)
    heart = _heart(person, room)
    aorta = solid(aortic_course(person))
    veins = solid(lines(person, *VEINS))
    pulmonary = solid(lines(person, *PULMONARY))
    oesophagus = solid(lines(person, OESOPHAGUS))
    airways = lines(person, TRACHEA, *BRONCHI.values())
    between = union(
        grown(heart, 3 + person.pericardium_mm),
        grown(front_mass(person), 2),
        grown(aorta, 2.5),
        grown(veins, 2.5),
        grown(pulmonary, 2),
        solid(airways),
        *(ball(hilum(person, side), 13) for side in HILUM),
        *_middle(person),
        blend_mm=14,
    )
    lungs = {side: _lung(person, room, between, sign) for side, sign in SIDES.items()}
    return Organs(
        heart=heart,
        aorta=aorta,
        veins=veins,
        pulmonary=pulmonary,
        neck_arteries=solid(lines(person, *NECK_ARTERIES)),
        oesophagus=oesophagus,
        airways=solid(airways),
        room=room,
        cage=cavity(person),
        lungs=lungs,
    )


def lung_branches(
    person: Physique, lungs: dict[str, Shape], random: np.random.Generator
) -> dict[str, Branches]:
    """Vessels and bronchi of each lung, from its hilum outwards."""
    branches = {}
    for side, lung in lungs.items():
        root = hilum(person, side)
        tips = places_within(grown(lung, -5), random, 230)
        inner = 0.75 * tips[:24] + 0.25 * root
        behind = root + np.array([0, -5, -4])
        branches[side] = tree(root, tips, 0.95), tree(behind, inner, 1.1)
    return branches


def places_within(shape: Shape, random: np.random.Generator, count: int) -> np.ndarray:
    """Up to `count` places, evenly spread over a shape (rows of x, y, z)."""
    tries = random.uniform(shape.low, shape.high, (max(8 * count, 400), 3))
    return tries[shape.distance(cloud(tries)) < 0][:count]


def hilum(person: Physique, side: str) -> Place:
    """Where vessels and bronchi enter a lung."""
    return np.array(HILUM[side]) * person.scale + person.shift


def aortic_course(person: Physique) -> Tubes:
    """The thoracic aorta, its ascending part as wide as `person.aortic_bulge` says."""
    places, radii = AORTA
    wide = np.array(radii) * np.where(np.arange(len(radii)) < ASCENDING, person.aortic_bulge, 1)
    return lines(person, (places, tuple(wide.tolist())), thickness=person.aorta)


def front_mass(person: Physique) -> Shape:
    """Room for a mass in front of the great vessels; next to nothing in most people."""
    size = max(person.mass_mm, 0.01)
    centre = np.array([-6, 52, 4]) * person.scale + person.shift
    return ellipsoid(centre, (1.1 * size, 0.8 * size, size))


def heart_middle(person: Physique) -> Place:
    """The middle of the ventricles."""
    return np.array([-26, 30, -78]) * person.scale + _heart_shift(person)


def lines(
    person: Physique,
    *lines: Course,
    thickness: Number = 1.0,
) -> Tubes:
    """Courses of the reference chest as tubes of this person."""
    return joined(
        *(
            tube(np.array(places) * person.scale + person.shift, np.array(radii) * thickness)
            for places, radii in lines
        )
    )


def _heart(person: Physique, room: Shape) -> Shape:
    """Ventricles pointing left, to the front and down; atria behind, to the right."""
    apex = np.array([-0.74, 0.50, -0.45])
    across = np.cross(apex, [0, 0, 1.0])
    axes = np.array([apex, across / np.linalg.norm(across), np.zeros(3)])
    axes[0] /= np.linalg.norm(apex)
    axes[2] = np.cross(axes[0], axes[1])
    shift = _heart_shift(person)
    size = person.heart * float(person.scale.mean())
    ventricles = ellipsoid(heart_middle(person), np.array([58, 43, 42]) * size, axes)
    atria = ellipsoid((16, 2, -60) * person.scale + shift, np.array([33, 32, 38]) * size)
    return common(union(ventricles, atria, blend_mm=10), grown(room, -4))


def _heart_shift(person: Physique) -> Place:
    excess = person.heart - 1
    aside = np.array([-person.heart_left_mm - 14 * excess, 22 * excess, 16 * excess])
    return person.shift + aside


def _middle(person: Physique) -> tuple[Shape, ...]:
    """Spine, gullet and the thin sheet between the lungs: what else keeps them apart."""
    _, deep, _ = person.scale.tolist()
    return (
        column((0, SPINE_BACK_MM * deep), (21, 18), LENGTH_MM),
        column((0, (CANAL_BACK_MM - 18) * deep), (33, 32), LENGTH_MM),
        column((person.shift_mm - 1, -12 * deep), (14, 24 * deep), LENGTH_MM),
        column((person.shift_mm, 50 * deep), (5, 50 * deep), LENGTH_MM),
    )


def _lung(person: Physique, room: Shape, between: Shape, sign: float) -> Shape:
    inner = grown(room, -1.5)
    low, high = inner.low.copy(), inner.high.copy()
    if sign > 0:
        low[0] = person.shift_mm
    else:
        high[0] = person.shift_mm
    middle = np.float32(person.shift_mm)
    half = Shape(low, high, lambda points: np.float32(-sign) * (points.x - middle))
    return remembered(without(Shape(low, high, common(inner, half).distance), between))
