"""Texture: smooth random fields, the same on any grid, from which diffuse findings are cut."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float32

from hirescam.simulation.shapes import Distance, Grid, Number, Points, Shape

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
