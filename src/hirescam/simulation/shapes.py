"""Shapes: how far points lie outside a surface, in patient millimetres; negative inside.

Distances are right near the surface, where soft edges need them, and only roughly so far away.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float32, Int

FAR_MM = 1000.0

Distance = Float32[np.ndarray, "..."]
Place = Float[np.ndarray, "3"]
Number = float | int  # for beartype an int is no float
Triple = Place | Sequence[Number]
Index = tuple[slice, ...] | tuple[np.ndarray, ...]


@dataclass(frozen=True, eq=False)
class Grid:
    """Voxel centres: slices to the feet, rows to the back, columns to the left.

    x, y, z (right, front, head) broadcast against each other. `width_mm` is a voxel's typical
    width.
    """

    x: Float32[np.ndarray, "1 1 column"]
    y: Float32[np.ndarray, "1 row 1"]
    z: Float32[np.ndarray, "slice 1 1"]
    first: tuple[float, float, float]
    step_mm: tuple[float, float, float]
    width_mm: float

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.z.size, self.y.size, self.x.size

    def within(self, low: Place, high: Place) -> tuple[Index, "Grid"]:
        """The points of a box, and a few more, and where they stand among all."""
        index = tuple(
            slice(max(0, int((first - up) // step)), max(0, int((first - down) // step) + 2))
            for first, step, down, up in zip(
                self.first, self.step_mm, low[::-1].tolist(), high[::-1].tolist(), strict=True
            )
        )
        return index, self.part(*index)

    def bounds(
        self, low: Float[np.ndarray, "box 3"], high: Float[np.ndarray, "box 3"]
    ) -> tuple[Int[np.ndarray, "box 3"], Int[np.ndarray, "box 3"]]:
        """The same for many boxes: where each begins and ends along slice, row and column."""
        first, step = np.array(self.first), np.array(self.step_mm)
        most = self.shape
        begins = np.clip((first - high[:, ::-1]) // step, 0, most).astype(int)
        ends = np.clip((first - low[:, ::-1]) // step + 2, 0, most).astype(int)
        return begins, ends

    def part(self, slices: slice, rows: slice, columns: slice) -> "Grid":
        """A block of the grid."""
        starts = (slices.start, rows.start, columns.start)
        first = tuple(
            at - start * step
            for at, start, step in zip(self.first, starts, self.step_mm, strict=True)
        )
        return Grid(
            self.x[:, :, columns],
            self.y[:, rows],
            self.z[slices],
            first,
            self.step_mm,
            self.width_mm,
        )


@dataclass(frozen=True, eq=False)
class Cloud:
    """Scattered places, one per entry; they have no width."""

    x: Float32[np.ndarray, "point"]
    y: Float32[np.ndarray, "point"]
    z: Float32[np.ndarray, "point"]
    width_mm: float = 0.0

    @property
    def shape(self) -> tuple[int, ...]:
        return self.x.shape

    def within(self, low: Place, high: Place) -> tuple[Index, "Cloud"]:
        """The points of a box, and where they stand among all."""
        inside = np.ones(self.x.shape, bool)
        for along, down, up in zip((self.x, self.y, self.z), low, high, strict=True):
            inside &= (along >= down) & (along <= up)
        return (inside,), Cloud(self.x[inside], self.y[inside], self.z[inside])


Points = Grid | Cloud


def cloud(places: Float[np.ndarray, "point 3"]) -> Cloud:
    """Scattered places from rows of x, y, z."""
    x, y, z = np.asarray(places, np.float32).T
    return Cloud(x, y, z)


@dataclass(frozen=True, eq=False)
class Shape:
    """A surface: its box (mm), and the distance of points to it, right within that box."""

    low: Place
    high: Place
    distance: Callable[[Points], Distance]


def turned_over(shape: Shape) -> Shape:
    """The shape with its front to the back."""
    low, high = shape.low.copy(), shape.high.copy()
    low[1], high[1] = -shape.high[1], -shape.low[1]
    return Shape(low, high, lambda points: shape.distance(replace(points, y=-points.y)))


def ellipsoid(
    centre: Triple, radii: Triple, axes: Float[np.ndarray, "3 3"] | None = None
) -> Shape:
    """An ellipsoid with its radii along the rows of `axes`, or along x, y, z."""
    middle, radius = np.array(centre, float), np.array(radii, float)
    turn = np.eye(3) if axes is None else axes
    reach = np.sqrt(((turn * radius[:, None]) ** 2).sum(axis=0))

    def distance(points: Points) -> Distance:
        size: np.ndarray = np.zeros((), np.float32)
        steepness: np.ndarray = np.zeros((), np.float32)
        for axis, r in zip(turn.tolist(), radius.tolist(), strict=True):
            along = _dot(points, middle, axis) ** 2
            size = size + along * np.float32(1 / r**2)
            steepness = steepness + along * np.float32(1 / r**4)
        out = np.sqrt(size)
        out *= (out - 1) / np.sqrt(steepness + np.float32(1e-12))
        return np.maximum(out, np.float32(-radius.min()))

    return Shape(middle - reach, middle + reach, distance)


def ball(centre: Triple, radius_mm: Number) -> Shape:
    """A sphere."""
    return ellipsoid(centre, (radius_mm,) * 3)


def column(
    centre: Sequence[Number], radii: Sequence[Number], heights: Sequence[Number]
) -> Shape:
    """An upright elliptic column between two heights."""
    (x, y), (wide, deep), (foot, head) = centre, radii, heights
    least = np.float32(-min(wide, deep))

    def distance(points: Points) -> Distance:
        u2 = ((points.x - np.float32(x)) / np.float32(wide)) ** 2
        v2 = ((points.y - np.float32(y)) / np.float32(deep)) ** 2
        flat = np.sqrt(u2 + v2)
        steepness = np.sqrt(u2 / np.float32(wide**2) + v2 / np.float32(deep**2) + 1e-12)
        flat = np.maximum(flat * (flat - 1) / steepness, least).astype(np.float32)
        ends = np.maximum(np.float32(foot) - points.z, points.z - np.float32(head))
        return np.maximum(flat, ends)

    low = np.array([x - wide, y - deep, foot])
    return Shape(low, np.array([x + wide, y + deep, head]), distance)


def union(*shapes: Shape, blend_mm: Number = 0.0) -> Shape:
    """All shapes together; gaps narrower than about `blend_mm` are filled smoothly."""
    margin = max(blend_mm, 5.0)

    def distance(points: Points) -> Distance:
        out = np.full(points.shape, FAR_MM, np.float32)
        for shape in shapes:
            index, near = points.within(shape.low - margin, shape.high + margin)
            if out[index].size:
                out[index] = smooth_minimum(out[index], shape.distance(near), blend_mm)
        return out

    low = np.min([shape.low for shape in shapes], axis=0)
    high = np.max([shape.high for shape in shapes], axis=0)
    return Shape(low, high, distance)


def common(*shapes: Shape) -> Shape:
    """What lies in every shape."""

    def distance(points: Points) -> Distance:
        out = shapes[0].distance(points)
        for shape in shapes[1:]:
            out = np.maximum(out, shape.distance(points))
        return out

    low = np.max([shape.low for shape in shapes], axis=0)
    high = np.min([shape.high for shape in shapes], axis=0)
    return Shape(low, high, distance)


def without(shape: Shape, *others: Shape) -> Shape:
    """A shape less others."""

    def distance(points: Points) -> Distance:
        out = shape.distance(points)
        for other in others:
            index, near = points.within(other.low - 3, other.high + 3)
            if out[index].size:
                out[index] = np.maximum(out[index], -other.distance(near))
        return out

    return Shape(shape.low, shape.high, distance)


def grown(shape: Shape, by_mm: Number) -> Shape:
    """A shape with its surface moved outwards."""
    return Shape(
        shape.low - by_mm,
        shape.high + by_mm,
        lambda points: shape.distance(points) - np.float32(by_mm),
    )


def remembered(shape: Shape) -> Shape:
    """A shape that keeps its last distances: for costly ones that are asked twice."""
    last: list[tuple[object, Distance]] = []

    def distance(points: Points) -> Distance:
        if isinstance(points, Grid):
            key = points.first, points.shape
            if not last or last[0][0] != key:
                last[:] = [(key, shape.distance(points))]
            return last[0][1]
        return shape.distance(points)

    return Shape(shape.low, shape.high, distance)


def smooth_minimum(first: Distance, second: Distance, blend_mm: Number) -> Distance:
    """The lesser of two distances, rounded off where they differ by less than `blend_mm`."""
    least = np.minimum(first, second)
    if blend_mm:
        excess = np.maximum(np.float32(blend_mm) - np.abs(first - second), 0)
        least -= excess * excess * np.float32(0.25 / blend_mm)
    return least


def _dot(points: Points, origin: Place, axis: Sequence[Number]) -> np.ndarray:
    """How far points lie from `origin` along `axis`; axes with a zero are left out."""
    along = [
        (values - np.float32(start)) * np.float32(part)
        for values, start, part in zip(
            (points.x, points.y, points.z), origin.tolist(), axis, strict=True
        )
        if part
    ]
    return sum(along[1:], start=along[0])
