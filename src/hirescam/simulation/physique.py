"""Physique: the measures in which one simulated person differs from the next."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

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
