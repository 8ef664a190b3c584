"""Organs of a simulated chest: bones, lungs and their lobes, heart and vessels, as shapes."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hirescam.simulation.shapes import (
    Distance,
    Number,
    Place,
    Points,
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
from hirescam.simulation.trunk import (
    CAVITY_FRONT_MM,
    CAVITY_MM,
    SIDES,
    Physique,
    body,
    cavity,
    chest_room,
)
from hirescam.simulation.tubes import Tubes, joined, solid, tree, tube

VERTEBRA_MM = 24.0
RIB_MM = 28.0
RIB_SLOPE = 0.45  # millimetres to the feet for each one to the front
SPINE_BACK_MM = -44.0  # middle of the vertebral bodies
CANAL_BACK_MM = -69.0
LENGTH_MM = (-400.0, 400.0)


def from_disc(person: Physique, points: Points) -> np.ndarray:
    """How far points lie above or below the middle of the nearest disc."""
    pitch = np.float32(VERTEBRA_MM * person.tall)
    return np.abs(np.remainder(points.z, pitch) - pitch / 2)


def spine(person: Physique) -> Shape:
    """Vertebral bodies with their arches and processes; the canal is still to be emptied."""
    deep = person.deep
    bodies = column((0, SPINE_BACK_MM * deep), (19, 15.5), LENGTH_MM)
    arch = column((0, CANAL_BACK_MM * deep), (15, 14), LENGTH_MM)

    def processes(points: Points) -> Distance:
        along = from_disc(person, points) - np.float32(VERTEBRA_MM * person.tall / 2)
        back = points.y - np.float32(CANAL_BACK_MM * deep)
        sideways = np.abs(points.x)
        spinous = np.maximum(np.maximum(sideways - 3, np.abs(back + 24) - 16), along + 4 - 11)
        spread = np.maximum(np.abs(back + 3) - 4, sideways - 34)
        return np.minimum(spinous, np.maximum(spread, np.abs(along) - 5)).astype(np.float32)

    middle = CANAL_BACK_MM * deep
    low, high = np.array([-34, middle - 40, -400.0]), np.array([34, middle + 4, 400.0])
    return union(bodies, arch, Shape(low, high, processes), blend_mm=2)


def canal(person: Physique) -> Shape:
    """The spinal canal."""
    return column((0, CANAL_BACK_MM * person.deep), (10, 8.5), LENGTH_MM)


def ribs(person: Physique) -> Shape:
    """Slanting rings on the chest cavity, open at the sternum."""
    inside = cavity(person)
    pitch = np.float32(RIB_MM * person.tall)
    upright = np.float32(1 / np.sqrt(1 + RIB_SLOPE**2))

    def distance(points: Points) -> Distance:
        height = points.z + np.float32(RIB_SLOPE) * points.y
        turn = np.remainder(height / pitch + np.float32(person.rib_phase), 1) - np.float32(0.5)
        up2 = (turn * (pitch * upright / np.float32(6.5))) ** 2
        out = inside.distance(points)
        out -= np.float32(5.5)
        out *= np.float32(1 / 4)
        out *= out
        out = out + up2
        np.sqrt(out, out=out)
        out -= 1
        out *= np.float32(4.5)
        return np.maximum(out, 16 - np.abs(points.x))

    margin = np.array([10, 10, 4])
    return Shape(inside.low - margin, inside.high + margin, distance)


def cartilage_from_mm(person: Physique) -> float:
    """Ribs in front of this y are cartilage."""
    return CAVITY_FRONT_MM + 0.62 * CAVITY_MM[1] * person.deep


def sternum(person: Physique) -> Shape:
    """Manubrium and body of the sternum, on the front of the cavity."""
    front = CAVITY_FRONT_MM + CAVITY_MM[1] * person.deep
    body = ellipsoid((0, front + 5, -48 * person.tall), (19, 6.5, 62 * person.tall))
    manubrium = ellipsoid((0, front - 3, 26 * person.tall), (29, 7.5, 26))
    return union(body, manubrium, blend_mm=6)


def shoulder(person: Physique) -> Shape:
    """Clavicles and shoulder blades of both sides, under the skin and its fat."""
    front = CAVITY_FRONT_MM + CAVITY_MM[1] * person.deep
    line = np.array([(26, front - 12, 44), (62, front - 22, 66), (104, front - 56, 84)])
    sides = [np.array([sign, 1, 1]) for sign in SIDES.values()]
    clavicles = [tube(line * (person.wide, 1, person.tall) * side, 6.0) for side in sides]
    blades = [
        ellipsoid(
            np.array([98 * person.wide, -70 * person.deep - 8, 40 * person.tall]) * side,
            (40, 4.5, 62),
            np.array([(0.80, 0.60, 0), (-0.60, 0.80, 0), (0, 0, 1)]) * side,
        )
        for side in sides
    ]
    flesh = grown(body(person), -person.fat_mm - 2)
    return union(*(common(bone, flesh) for bone in (solid(joined(*clavicles)), *blades)))


LOBES = {"right": ("upper", "middle", "lower"), "left": ("upper", "lower")}
_FISSURE_MM = (45.0, -75.0)  # height of the oblique fissure at the back, and that back's y
_MINOR_FISSURE_MM = -18.0


def _below_oblique(person: Physique, points: Points) -> Distance:
    """Distance to the oblique fissure, negative on the side of the lower lobe."""
    height, back = _FISSURE_MM
    slope = np.float32(person.tall / person.deep)
    fissure = height * person.tall - (points.y - np.float32(back * person.deep)) * slope
    return ((points.z - fissure) * np.float32(0.7)).astype(np.float32)


def _below_minor(person: Physique, points: Points) -> Distance:
    """Distance to the horizontal fissure of the right lung, negative below it."""
    return (points.z - np.float32(_MINOR_FISSURE_MM * person.tall)).astype(np.float32)


def _lobe(person: Physique, points: Points, side: str, lobe: str) -> Distance:
    oblique = _below_oblique(person, points)
    if lobe == "lower":
        return oblique
    if side == "left":
        return -oblique
    minor = _below_minor(person, points)
    return np.maximum(-oblique, minor if lobe == "middle" else -minor)


def lobe_shape(person: Physique, lung: Shape, side: str, lobe: str) -> Shape:
    """One lobe of a lung."""
    part = Shape(lung.low, lung.high, lambda points: _lobe(person, points, side, lobe))
    return common(lung, part)


def lobe_of(person: Physique, place: Float[np.ndarray, "3"], side: str) -> str:
    """The lobe in which a place lies."""
    here = cloud(place[None])
    return min(LOBES[side], key=lambda lobe: float(_lobe(person, here, side, lobe)[0]))


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
