"""Airways: thickened, widened and plugged bronchi."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hirescam.simulation.findings.kinds import Chest, Lesion
from hirescam.simulation.findings.spots import any_side, lungs_location, side_words
from hirescam.simulation.shapes import Distance, Number, Points, common, union
from hirescam.simulation.tubes import Tubes, solid


def thick_walls(
    chest: Chest,
    _random: np.random.Generator,
    _others: Sequence[Lesion],
    *,
    widened: Number = 1.0,
    wall_mm: Number = 1.8,
) -> Lesion:
    """Bronchi of all lungs with a wall that shows, around a lumen that may be widened."""

    def tissue(points: Points, distance: Distance) -> np.ndarray:
        return np.interp(-distance, [wall_mm - 0.4, wall_mm + 0.4], [0.0, -990.0]).astype(
            np.float32
        )

    walls = [
        common(solid(_wider(chest, side, widened, wall_mm)), chest.organs.lungs[side])
        for side in chest.sides
    ]
    words = side_words(chest.sides)
    return Lesion(union(*walls), tissue, lungs_location(chest.sides), words)


def mucous_plugging(
    chest: Chest, random: np.random.Generator, _others: Sequence[Lesion]
) -> Lesion:
    """The bronchi of one lung filled, and a little wider for it."""
    side = any_side(chest, random)
    plugs = common(solid(_wider(chest, side, 1.2, 0.8)), chest.organs.lungs[side])
    words = side_words((side,))
    return Lesion(plugs, random.uniform(10, 40), lungs_location((side,)), words)


def _wider(chest: Chest, side: str, factor: Number, wall_mm: Number) -> Tubes:
    _, bronchi = chest.branches[side]
    return replace(
        bronchi,
        start_radius=bronchi.start_radius * factor + wall_mm,
        end_radius=bronchi.end_radius * factor + wall_mm,
    )
