"""Painting: shapes put onto voxels with soft edges, and the tissues of a healthy chest."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64

from hirescam.simulation.organs import (
    Organs,
    canal,
    cartilage_from_mm,
    from_disc,
    ribs,
    shoulder,
    spine,
    sternum,
)
from hirescam.simulation.shapes import Distance, Grid, Index, Number, Points, Shape, grown
from hirescam.simulation.trunk import (
    Physique,
    belly_organs,
    belly_room,
    body,
    cavity,
    lies_at_mm,
    under,
)
from hirescam.simulation.tubes import Tubes, traces

Texture = Callable[[Points, Distance], np.ndarray]
Tissue = float | Texture
Value = np.ndarray | np.float32
Mix = Callable[[np.ndarray, Value], Value]


def over(hu: np.ndarray, value: Value) -> Value:
    """What is painted covers what was there."""
    return value


def denser(hu: np.ndarray, value: Value) -> Value:
    """What was there stays visible where it is denser, as vessels in ground glass."""
    return np.maximum(hu, value)


def thinner(hu: np.ndarray, value: Value) -> Value:
    """What was there stays where it is thinner, as emphysema in a lung."""
    return np.minimum(hu, value)


@dataclass(frozen=True, eq=False)
class Canvas:
    """A block of voxels in the making."""

    grid: Grid
    hu: Float32[np.ndarray, "slice row column"]


def blank(grid: Grid, hu: float) -> Canvas:
    """A canvas of one value."""
    return Canvas(grid, np.full(grid.shape, hu, np.float32))


def paint(canvas: Canvas, shape: Shape, tissue: Tissue, mix: Mix = over) -> None:
    """Fill a shape; voxels on its surface take their share."""
    index, near = _around(canvas.grid, shape)
    if not all(near.shape):
        return
    distance = shape.distance(near)
    value = tissue(near, distance) if callable(tissue) else np.float32(tissue)
    share = distance * np.float32(-1 / canvas.grid.width_mm)
    share += np.float32(0.5)
    np.clip(share, 0, 1, out=share)
    hu = canvas.hu[index]
    _blend(hu, share, mix(hu, value))


def trace(canvas: Canvas, tubes: Tubes, hu: float, within: Shape) -> None:
    """Draw tubes, however thin, where they run inside a shape."""
    index, near = _around(canvas.grid, within)
    if all(near.shape):
        share = traces(tubes, near) * (within.distance(near) < 0)
        _blend(canvas.hu[index], share, np.float32(hu))


def mask(grid: Grid, shape: Shape) -> Bool[np.ndarray, "slice row column"]:
    """Voxels whose centre lies inside a shape."""
    out = np.zeros(grid.shape, bool)
    index, near = _around(grid, shape)
    if all(near.shape):
        out[index] = shape.distance(near) < 0
    return out


def voxel_grid(affine: Float64[np.ndarray, "4 4"], shape: tuple[int, int, int]) -> Grid:
    """The voxel centres of a scan in orientation IPL."""
    slices, rows, columns = shape
    step = -affine[[2, 1, 0], [0, 1, 2]]
    first = affine[[2, 1, 0], 3]
    z, y, x = (
        (start - gap * np.arange(count)).astype(np.float32)
        for start, gap, count in zip(first, step, shape, strict=True)
    )
    width = float(np.cbrt(step.prod()))
    return Grid(
        x.reshape(1, 1, columns),
        y.reshape(1, rows, 1),
        z.reshape(slices, 1, 1),
        tuple(first.tolist()),
        tuple(step.tolist()),
        width,
    )


def _around(grid: Grid, shape: Shape) -> tuple[Index, Grid]:
    """The part of a grid that a shape can touch."""
    return grid.within(shape.low - grid.width_mm, shape.high + grid.width_mm)


def _blend(hu: np.ndarray, share: np.ndarray, value: Value) -> None:
    share *= value - hu
    hu += share


FAT, MUSCLE, BLOOD, HEART, AIR = -100.0, 50.0, 40.0, 44.0, -1000.0


def healthy(person: Physique, organs: Organs) -> Iterator[tuple[Shape, Tissue]]:
    """Shapes and their tissues; later ones cover earlier ones."""
    inside = cavity(person)
    belly = belly_organs(person)
    yield _table(person), -250.0
    yield body(person), _wall(person)
    yield inside, -95.0
    yield belly_room(person), _under_diaphragm
    yield belly["liver"], 58.0
    yield belly["spleen"], 48.0
    yield belly["stomach"], 25.0
    yield belly["stomach_gas"], AIR
    yield shoulder(person), _bone(420, 220, 2.0)
    yield ribs(person), _ribs(person)
    yield sternum(person), _bone(380, 140, 1.8)
    yield spine(person), _vertebrae(person)
    yield canal(person), 28.0
    yield organs.heart, HEART
    yield organs.veins, BLOOD
    yield organs.neck_arteries, BLOOD
    yield organs.pulmonary, BLOOD
    yield organs.aorta, BLOOD
    yield organs.oesophagus, 36.0
    yield grown(organs.airways, 1.4), _airway


def _wall(person: Physique) -> Texture:
    """Skin, fat, then muscle in two layers, by depth under the surface."""
    fat = person.fat_mm
    depths = np.array([0, 1.5, 3.0, fat - 1, fat + 1, fat + 7, fat + 9, fat + 11])
    values = np.array([10, 10, FAT, FAT, MUSCLE, MUSCLE, -40, MUSCLE])

    def tissue(_: Points, distance: Distance) -> np.ndarray:
        out = np.full(distance.shape, MUSCLE, np.float32)
        shell = (distance < 2) & (distance > -fat - 11)
        out[shell] = np.interp(-distance[shell], depths, values)
        return out

    return tissue


def _under_diaphragm(points: Points, distance: Distance) -> np.ndarray:
    return np.where(distance > -3.5, np.float32(MUSCLE), np.float32(-95))


def _airway(points: Points, distance: Distance) -> np.ndarray:
    """A wall around air."""
    return np.interp(-distance, [0.9, 1.9], [10.0, AIR]).astype(np.float32)


def _bone(cortex_hu: Number, marrow_hu: Number, cortex_mm: Number) -> Texture:
    return lambda points, distance: np.where(
        distance > -cortex_mm, np.float32(cortex_hu), np.float32(marrow_hu)
    )


def _ribs(person: Physique) -> Texture:
    """Bone, but cartilage in front."""
    bone, front = _bone(620, 280, 1.8), np.float32(cartilage_from_mm(person))
    return lambda points, distance: np.where(
        points.y > front, np.float32(95), bone(points, distance)
    )


def _vertebrae(person: Physique) -> Texture:
    """Marrow under a cortex, with discs between end plates."""
    bone = _bone(420, 190, 2.0)

    def tissue(points: Points, distance: Distance) -> np.ndarray:
        off = from_disc(person, points)
        body = np.float32(-58 * person.deep)
        plate = np.where(off < 3.0, np.float32(85), np.float32(380))
        return np.where((off < 4.8) & (points.y > body), plate, bone(points, distance))

    return tissue


def lung_tissue(person: Physique) -> Texture:
    """Air with a little tissue, denser where it hangs down and at the base."""
    base, sag = np.float32(person.lung_hu), np.float32(0.35 * person.up)
    return lambda points, distance: base - points.y * sag - points.z * np.float32(0.08)


def _table(person: Physique) -> Shape:
    """The shell of the curved table under the person."""
    lowest = lies_at_mm(person) - 6

    def distance(points: Points) -> Distance:
        rise = points.x * points.x * np.float32(1 / 760)
        top = points.y - np.float32(lowest) - rise
        below = (points.y - np.float32(lowest - 42)) - rise * np.float32(0.25)
        shell = np.minimum(np.abs(top), np.abs(below)) - np.float32(1.2)
        return np.maximum(shell, np.abs(points.x) - 205) + np.float32(0) * points.z

    low, high = np.array([-205.0, lowest - 45, -1e4]), np.array([205.0, lowest + 60, 1e4])
    return under(person, Shape(low, high, distance))
