"""Overlap: which share of each cell's volume lies in a mask, exactly, on any two grids.

Cells are boxes that touch. Both grids share their directions up to order and sign, so that a
box overlaps a voxel along each axis on its own, and three small matrices say it all.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64

from hirescam.ct.resample import Weights, resample
from hirescam.errors import GeometryError

Affine = Float64[np.ndarray, "4 4"]
_PARALLEL = 0.01  # of a cell, over the whole grid


@dataclass(frozen=True, eq=False)
class Boxes:
    """Cells of a grid as boxes; `starts` and `stops` of each, axis by axis, counted in cells.

    A whole cell reaches from its index − ½ to its index + ½. What a field of view cuts off is
    missing, and still counts in the cell's volume.
    """

    affine: Affine
    starts: tuple[Float[np.ndarray, "_"], ...]
    stops: tuple[Float[np.ndarray, "_"], ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(len(start) for start in self.starts)

    @property
    def whole(self) -> Float[np.ndarray, "slice row column"]:
        """The share of each cell that is left."""
        along = (stop - start for start, stop in zip(self.starts, self.stops, strict=True))
        return np.einsum("s,r,c->src", *along)


def whole_boxes(shape: tuple[int, ...], affine: Affine) -> Boxes:
    """The boxes of a grid whose `affine` leads from index to patient."""
    return Boxes(
        affine,
        tuple(np.arange(size) - 0.5 for size in shape),
        tuple(np.arange(size) + 0.5 for size in shape),
    )


def cut(boxes: Boxes, shape: tuple[int, ...], affine: Affine) -> Boxes:
    """What of the boxes lies within another grid's field of view."""
    axes, first, step = _along(boxes.affine, affine, shape)
    starts, stops = list(boxes.starts), list(boxes.stops)
    for other, axis in enumerate(axes):
        ends = first[axis] + step[axis] * np.array([-0.5, shape[other] - 0.5])
        starts[axis] = np.clip(starts[axis], ends.min(), ends.max())
        stops[axis] = np.clip(stops[axis], ends.min(), ends.max())
    return Boxes(boxes.affine, tuple(starts), tuple(stops))


def overlap(
    boxes: Boxes, mask: Bool[np.ndarray, "_ _ _"], affine: Affine
) -> Float[np.ndarray, "slice row column"]:
    """The share of each cell that lies in `mask`, whose own grid `affine` places."""
    axes, first, step = _along(boxes.affine, affine, mask.shape)
    weights = [
        _weights(
            (boxes.starts[axis] - first[axis]) / step[axis],
            (boxes.stops[axis] - first[axis]) / step[axis],
            size,
        )
        * abs(step[axis])
        for axis, size in zip(axes, mask.shape, strict=True)
    ]
    return resample(mask, weights, outside=0.0).transpose(np.argsort(axes)).astype(float)


def _weights(
    one_end: Float[np.ndarray, "cell"], other_end: Float[np.ndarray, "cell"], size: int
) -> Weights:
    """Length that each cell shares with each voxel, in voxels."""
    low, high = np.minimum(one_end, other_end), np.maximum(one_end, other_end)
    voxels = np.arange(size)
    shared = np.minimum(high[:, None], voxels + 0.5) - np.maximum(low[:, None], voxels - 0.5)
    return np.clip(shared, 0.0, None)


def _along(
    cells: Affine, affine: Affine, shape: tuple[int, ...]
) -> tuple[list[int], Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """For each axis of a grid the axis of the cells that it runs along.

    Then, for each axis of the cells, where the grid begins and its step, in cells.
    """
    on_cells = np.linalg.inv(cells) @ affine
    turn = on_cells[:3, :3]
    axes = np.abs(turn).argmax(axis=0).tolist()
    rest = np.abs(turn)
    rest[axes, range(3)] = 0
    if sorted(axes) != [0, 1, 2] or (rest * np.array(shape)).max() > _PARALLEL:
        raise GeometryError(
            "the map's cells and the masks are turned against each other: give masks on the "
            "grid of the scan that was explained"
        )
    step = np.zeros(3)
    step[axes] = turn[axes, range(3)]
    return axes, on_cells[:3, 3], step
