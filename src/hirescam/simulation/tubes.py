"""Tubes: vessels, airways and lines as tapering segments, and how they branch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from hirescam.simulation.shapes import (
    FAR_MM,
    Cloud,
    Distance,
    Grid,
    Index,
    Number,
    Place,
    Points,
    Shape,
)


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
        least = 0.71 * points.width_mm if visible else 0.0  # half the diagonal of a voxel
        if isinstance(points, Cloud):
            return _beyond_all(tubes, points)
        out = np.full(points.shape, FAR_MM, np.float32)
        for index, _, beyond in _beyond_each(tubes, points, 5.0, least):
            np.minimum(out[index], beyond, out=out[index])
        return out

    return Shape(
        (np.minimum(tubes.start, tubes.end) - radius).min(axis=0),
        (np.maximum(tubes.start, tubes.end) + radius).max(axis=0),
        distance,
    )


def traces(tubes: Tubes, grid: Grid) -> Float32[np.ndarray, "slice row column"]:
    """How much of each voxel the tubes fill, also where they are much thinner than a voxel."""
    out = np.zeros(grid.shape, np.float32)
    width = grid.width_mm
    for index, radius, beyond in _beyond_each(tubes, grid, width, width / 2):
        filled = np.minimum(np.maximum(0.5 - beyond * np.float32(1 / width), 0), 1)
        filled *= np.float32(min(1.0, (2 * radius / width) ** 2))
        np.maximum(out[index], filled, out=out[index])
    return out


def _beyond_each(
    tubes: Tubes, grid: Grid, margin_mm: Number, least_radius: Number
) -> Iterator[tuple[Index, float, Distance]]:
    """For each segment: a block around it, its radius, how far that block lies outside it.

    Thin segments are taken to have the least radius. One loop without a call: a chest has
    hundreds of segments, each of a few voxels.
    """
    reach = np.maximum(tubes.start_radius, tubes.end_radius)[:, None] + margin_mm
    low = np.minimum(tubes.start, tubes.end) - reach
    high = np.maximum(tubes.start, tubes.end) + reach
    begins, ends = grid.bounds(low, high)
    radii = np.maximum(np.stack([tubes.start_radius, tubes.end_radius]), least_radius)
    for number in np.flatnonzero((begins < ends).all(axis=1)).tolist():
        slices, rows, columns = map(slice, begins[number].tolist(), ends[number].tolist())
        start = tubes.start[number].astype(np.float32)
        along = (tubes.end[number] - tubes.start[number]).astype(np.float32)
        length = max(float((along**2).sum()), 1e-6)
        x = grid.x[:, :, columns] - start[0]
        y = grid.y[:, rows] - start[1]
        z = grid.z[slices] - start[2]
        dot = (x * along[0] + y * along[1]) + z * along[2]
        share = np.minimum(np.maximum(dot * np.float32(1 / length), 0), 1)
        apart = (x * x + y * y) + z * z + share * (share * np.float32(length) - 2 * dot)
        first, last = radii[:, number].astype(np.float32)
        beyond = np.sqrt(np.maximum(apart, 0)) - (first + share * (last - first))
        radius = (tubes.start_radius[number] + tubes.end_radius[number]) / 2
        yield (slices, rows, columns), float(radius), beyond


def _beyond_all(tubes: Tubes, points: Cloud) -> Distance:
    """How far scattered places lie outside all segments together."""
    places = np.stack([points.x, points.y, points.z], axis=1)
    out = np.full(len(places), FAR_MM, np.float32)
    for number, start in enumerate(tubes.start):
        offset, along = places - start, tubes.end[number] - start
        share = np.clip(offset @ along / max(float(along @ along), 1e-6), 0, 1)
        apart = np.linalg.norm(offset - share[:, None] * along, axis=1)
        first, last = tubes.start_radius[number], tubes.end_radius[number]
        out = np.minimum(out, apart - (first + share * (last - first)))
    return out.astype(np.float32)
