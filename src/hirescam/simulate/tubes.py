"""Tubes: vessels, airways and lines as tapering segments, and how they branch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from hirescam.simulate.shapes import FAR_MM, Distance, Index, Number, Place, Points, Shape


@dataclass(frozen=True, eq=False)
class Tubes:
    """Straight tapering segments with round ends; places and radii in millimetres."""

    start: Float[np.ndarray, "segment 3"]
    end: Float[np.ndarray, "segment 3"]
    start_radius: Float[np.ndarray, "segment"]
    end_radius: Float[np.ndarray, "segment"]


def tube(
    places: Float[np.ndarray, "place 3"],
    radii: Number | Sequence[Number] | Float[np.ndarray, "place"],
) -> Tubes:
    """A tube that rounds the corners of a line through `places`."""
    radius = np.broadcast_to(np.asarray(radii, float), len(places))[:, None]
    line = np.hstack([places, radius])
    for _ in range(2):  # Chaikin: cut every corner at a quarter, the ends stay
        early, late = 0.75 * line[:-1] + 0.25 * line[1:], 0.25 * line[:-1] + 0.75 * line[1:]
        cut = np.stack([early, late], axis=1).reshape(-1, 4)
        line = np.vstack([line[:1], cut[1:-1], line[-1:]])
    return Tubes(line[:-1, :3], line[1:, :3], line[:-1, 3], line[1:, 3])


def joined(*tubes: Tubes) -> Tubes:
    """Several tubes as one."""
    return Tubes(
        np.concatenate([each.start for each in tubes]),
        np.concatenate([each.end for each in tubes]),
        np.concatenate([each.start_radius for each in tubes]),
        np.concatenate([each.end_radius for each in tubes]),
    )


def tree(root: Place, targets: Float[np.ndarray, "target 3"], tip_radius_mm: float) -> Tubes:
    """Branches from `root` to every target, each joining where the way through is short.

    Cubes of radii add up at every fork (Murray, 1926, doi:10.1073/pnas.12.3.207).
    """
    nodes = np.vstack([root, targets[np.argsort(((targets - root) ** 2).sum(axis=1))]])
    way = np.zeros(len(nodes))
    parent = np.zeros(len(nodes), int)
    for node in range(1, len(nodes)):
        gap = np.sqrt(((nodes[:node] - nodes[node]) ** 2).sum(axis=1))
        parent[node] = np.argmin(gap + 0.6 * way[:node])
        way[node] = gap[parent[node]] + way[parent[node]]
    cubes = np.full(len(nodes), tip_radius_mm**3)
    for node in range(len(nodes) - 1, 0, -1):
        cubes[parent[node]] += cubes[node]
    radius = np.cbrt(cubes)
    radius[0] = radius[1:].max()
    start_radius = np.minimum(radius[parent[1:]], 1.3 * radius[1:])
    return Tubes(nodes[parent[1:]], nodes[1:], start_radius, radius[1:])


def solid(tubes: Tubes, *, visible: bool = False) -> Shape:
    """The inside of tubes; if `visible`, drawn at least one voxel thick."""
    radius = np.maximum(tubes.start_radius, tubes.end_radius)[:, None]

    def distance(points: Points) -> Distance:
        out = np.full(points.shape, FAR_MM, np.float32)
        least = 0.71 * points.width_mm if visible else 0.0  # half the diagonal of a voxel
        for index, near, segment in _near(tubes, points, 5.0):
            out[index] = np.minimum(out[index], _beyond(segment, near, least))
        return out

    return Shape(
        (np.minimum(tubes.start, tubes.end) - radius).min(axis=0),
        (np.maximum(tubes.start, tubes.end) + radius).max(axis=0),
        distance,
    )


def traces(tubes: Tubes, points: Points) -> Float32[np.ndarray, "..."]:
    """How much of each voxel the tubes fill, also where they are much thinner than a voxel."""
    out = np.zeros(points.shape, np.float32)
    width = points.width_mm
    for index, near, segment in _near(tubes, points, width):
        radius = (segment.start_radius + segment.end_radius) / 2
        filled = 0.5 - _beyond(segment, near, width / 2) / np.float32(width)
        filled = np.clip(filled, 0, 1) * np.float32(min(1.0, (2 * radius / width) ** 2))
        out[index] = np.maximum(out[index], filled)
    return out


@dataclass(frozen=True)
class _Segment:
    start: tuple[float, float, float]
    along: tuple[float, float, float]
    start_radius: float
    end_radius: float


def _near(
    tubes: Tubes, points: Points, margin: float
) -> Iterator[tuple[Index, Points, _Segment]]:
    """Each segment with the points around it."""
    reach = np.maximum(tubes.start_radius, tubes.end_radius)[:, None] + margin
    low = np.minimum(tubes.start, tubes.end) - reach
    high = np.maximum(tubes.start, tubes.end) + reach
    near = (low[:, 2] <= points.z.max()) & (high[:, 2] >= points.z.min())
    for number in np.flatnonzero(near):
        index, around = points.within(low[number], high[number])
        if all(around.shape):
            start, end = tubes.start[number], tubes.end[number]
            radii = float(tubes.start_radius[number]), float(tubes.end_radius[number])
            yield index, around, _Segment(tuple(start), tuple(end - start), *radii)


def _beyond(segment: _Segment, points: Points, least_radius: float) -> Distance:
    """How far points lie outside one segment, taken to be at least so thick."""
    x, y, z = (
        values - np.float32(start)
        for values, start in zip((points.x, points.y, points.z), segment.start, strict=True)
    )
    across, back, up = (np.float32(part) for part in segment.along)
    length = max(float(across**2 + back**2 + up**2), 1e-6)
    along = (x * across + y * back) + z * up
    share = np.minimum(np.maximum(along * np.float32(1 / length), 0), 1)
    apart = (x * x + y * y) + z * z + share * (share * np.float32(length) - 2 * along)
    first = np.float32(max(segment.start_radius, least_radius))
    last = np.float32(max(segment.end_radius, least_radius))
    return np.sqrt(np.maximum(apart, 0)) - (first + share * (last - first))
