"""The person and the body: measures in which people differ, and the outline that they give."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from hirescam.simulation.shapes import (
    Distance,
    Number,
    Points,
    Shape,
    common,
    ellipsoid,
    grown,
    turned_over,
    union,
)

SIDES = {"right": 1.0, "left": -1.0}  # the sign of x


@dataclass(frozen=True)
class Physique:
    """Sizes relative to a reference chest, and lengths in millimetres.

    `aortic_bulge` widens the ascending aorta alone; `pericardium_mm` and `mass_mm`, the radius
    of something in front of the great vessels, take their room from the lungs. `sharpness` is
    that of the scanner's reconstruction kernel, from −1 (smooth) to 1 (sharp).
    """

    wide: float
    deep: float
    tall: float
    fat_mm: float
    belly_mm: float
    breast_mm: float
    right_dome_mm: float
    left_dome_lower_mm: float
    heart: float
    heart_left_mm: float
    aorta: float
    stomach_gas: float
    rib_phase: float
    noise_hu: float
    lung_hu: float
    head_margin_mm: float
    feet_margin_mm: float
    off_right_mm: float
    off_front_mm: float
    sharpness: float
    aortic_bulge: float = 1.0
    pericardium_mm: float = 0.0
    mass_mm: float = 0.0
    shift_mm: float = 0.0
    missing_lung: str = ""
    prone: bool = False

    @property
    def up(self) -> float:
        """The sign of y against gravity: air rises to the front of those who lie supine."""
        return -1.0 if self.prone else 1.0

    @property
    def shift(self) -> Float[np.ndarray, "3"]:
        """How far the organs between the lungs are drawn aside, as where a lung is gone."""
        return np.array([self.shift_mm, 0, 0])

    @property
    def scale(self) -> Float[np.ndarray, "3"]:
        """Size relative to the reference chest along x, y, z."""
        return np.array([self.wide, self.deep, self.tall])


RANGES = {
    "wide": (0.91, 1.09),
    "deep": (0.91, 1.09),
    "tall": (0.91, 1.09),
    "fat_mm": (8.0, 26.0),
    "belly_mm": (0.0, 14.0),
    "breast_mm": (-18.0, 22.0),
    "right_dome_mm": (-110.0, -90.0),
    "left_dome_lower_mm": (8.0, 20.0),
    "heart": (0.92, 1.08),
    "heart_left_mm": (-6.0, 6.0),
    "aorta": (0.88, 1.15),
    "stomach_gas": (0.35, 0.7),
    "rib_phase": (0.0, 1.0),
    "noise_hu": (10.0, 20.0),
    "lung_hu": (-870.0, -830.0),
    "head_margin_mm": (14.0, 30.0),
    "feet_margin_mm": (16.0, 36.0),
    "off_right_mm": (-8.0, 8.0),
    "off_front_mm": (-8.0, 8.0),
    "sharpness": (-1.0, 1.0),
}


def draw_physique(random: np.random.Generator) -> Physique:
    """A person, each measure drawn evenly from its range."""
    measures: dict[str, Any] = {name: random.uniform(*ends) for name, ends in RANGES.items()}
    return Physique(**measures)


CAVITY_MM = (126.0, 84.0)  # half width, half depth
CAVITY_FRONT_MM = 6.0  # its middle lies in front of the middle of the body
WALL_MM = (18.0, 26.0)  # muscle and ribs at the sides, and at front and back
APEX_MM = 104.0  # of the lungs, above the carina


def body(person: Physique) -> Shape:
    """Everything inside the skin."""
    half = np.array(CAVITY_MM) * person.scale[:2] + WALL_MM + person.fat_mm
    belly = np.float32(person.belly_mm)

    def trunk(points: Points) -> Distance:
        rise = np.maximum(points.z / np.float32(person.tall) - 30, 0) / 100
        narrow = 1 - np.float32(0.24) * np.minimum(rise, 1.2) ** 2
        girth = belly * np.clip((-points.z - 50) / 130, 0, 1)
        wide, deep = (np.float32(length) * narrow + girth for length in half)
        return _rounded_box(points, -2.0, wide, deep, squareness=0.75)

    low = np.array([-half[0] - belly, -half[1] - belly - 2, -1e4])
    high = np.array([half[0] + belly, half[1] + belly - 2, 1e4])
    whole = Shape(low, high, trunk)
    if person.breast_mm <= 0:
        return whole
    out, front = 0.5 * half[0], half[1] - 24
    breasts = [
        ellipsoid((side * out, front, -62 * person.tall), (56, 24 + person.breast_mm, 54))
        for side in (-1, 1)
    ]
    return union(whole, *breasts, blend_mm=12)


def lies_at_mm(person: Physique) -> float:
    """Height of the skin on which the person lies, against gravity from the body's middle."""
    outline = body(person)
    lowest = -outline.high[1] if person.prone else outline.low[1]
    return float(lowest) + person.belly_mm


def under(person: Physique, shape: Shape) -> Shape:
    """What was drawn behind who lies supine, in front of who lies prone."""
    return turned_over(shape) if person.prone else shape


def cavity(person: Physique) -> Shape:
    """Everything inside the ribs, chest and belly alike."""
    half = np.array(CAVITY_MM) * person.scale[:2]
    apex = APEX_MM * person.tall

    def distance(points: Points) -> Distance:
        rise = np.clip((points.z + 40) / np.float32(apex + 40), 0, 1)
        narrow = np.sqrt(1 - rise * rise * np.sqrt(rise))
        wide, deep = (np.maximum(np.float32(length) * narrow, 1) for length in half)
        across = _rounded_box(points, CAVITY_FRONT_MM, wide, deep, squareness=0.5)
        return np.maximum(across, points.z - np.float32(apex))

    low = np.array([-half[0], CAVITY_FRONT_MM - half[1], -1e4])
    return Shape(low, np.array([half[0], CAVITY_FRONT_MM + half[1], apex]), distance)


def chest_room(person: Physique) -> Shape:
    """The cavity above the domes of the diaphragm."""
    inside = cavity(person)
    low, high = inside.low.copy(), inside.high
    low[2] = lowest_lung_mm(person)
    over = Shape(low, high, lambda points: 0.8 * (dome(person, points) - points.z))
    return common(inside, over)


def belly_room(person: Physique) -> Shape:
    """The cavity under the domes of the diaphragm."""
    inside = cavity(person)
    low, high = inside.low, inside.high.copy()
    high[2] = person.right_dome_mm * person.tall
    under = Shape(low, high, lambda points: 0.8 * (points.z - dome(person, points)))
    return common(inside, under)


def lowest_lung_mm(person: Physique) -> float:
    """Height under which no lung reaches."""
    return (person.right_dome_mm - 95) * person.tall


def dome(person: Physique, points: Points) -> np.ndarray:
    """Height of the diaphragm, the right side higher, falling steeply to the ribs."""
    right = points.x / np.float32(person.wide)
    front = points.y / np.float32(person.deep)
    left = np.clip((40 - right) / 80, 0, 1)
    side = (np.abs(right) - 62) / np.where(np.abs(right) > 62, np.float32(56), np.float32(82))
    back = (front - 18) / 75
    height = -person.left_dome_lower_mm * left * left * (3 - 2 * left)
    height = height - 34 * side * side - 38 * back * back
    return ((person.right_dome_mm + height) * person.tall).astype(np.float32)


def belly_organs(person: Physique) -> dict[str, Shape]:
    """Liver to the right; stomach with its gas, and spleen, to the left."""
    inside = grown(belly_room(person), -3)
    top = person.right_dome_mm

    def organ(centre: Sequence[Number], radii: Sequence[Number]) -> Shape:
        return common(ellipsoid(centre * person.scale, radii * person.scale), inside)

    stomach = ellipsoid((-56, 28, top - 58) * person.scale, (42, 44, 44) * person.scale)
    up = np.float32(person.up)
    level = np.float32(28 * person.deep) + up * np.float32((1 - 2 * person.stomach_gas) * 30)
    gas = Shape(
        stomach.low,
        stomach.high,
        lambda points: np.maximum(stomach.distance(points) + 4, up * (level - points.y)),
    )
    return {
        "liver": organ((52, 8, top - 62), (92, 84, 74)),
        "spleen": organ((-84, -36, top - 66), (34, 46, 48)),
        "stomach": common(stomach, inside),
        "stomach_gas": common(gas, inside),
    }


def _rounded_box(
    points: Points, middle: float, wide: np.ndarray, deep: np.ndarray, squareness: float
) -> Distance:
    """Distance to an upright outline between an ellipse (0) and a rounded box (1)."""
    u2 = (points.x / wide) ** 2
    v2 = ((points.y - np.float32(middle)) / deep) ** 2
    # u⁴ + v⁴ + 2 (1 − s) u² v²: an ellipse where s = 0
    size = u2 + v2
    size *= size
    size -= np.float32(2 * squareness) * u2 * v2
    size = np.sqrt(np.sqrt(size))
    steepness = u2 / wide**2 + v2 / deep**2
    steepness += np.float32(1e-9)
    size *= size - 1
    size /= np.sqrt(steepness, out=steepness)
    return np.maximum(size, -np.minimum(wide, deep))
