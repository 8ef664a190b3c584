"""Where each cell of a feature map lies in the patient.

A cell lies at the centre of its receptive field, which the layers' kernels, strides and
paddings give. In AxialNet the 6×6 cells of a 420×420 slice lie at pixels 128, 160, … 288.
The published figures instead stretch the map over the whole slice (35, 105, … 385); that
tiling is at hand by name.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Shaped

from hirescam.ct.resample import cell_weights, resample
from hirescam.errors import GeometryError


@dataclass(frozen=True)
class Window:
    """What one convolution or pooling sees along one axis, in its own input's cells."""

    kernel: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1


@dataclass(frozen=True)
class Cells:
    """Evenly spaced cells along one axis, placed on the input's samples."""

    first: float
    step: float
    count: int

    @property
    def centres(self) -> Float[np.ndarray, "{self.count}"]:
        """Position of each cell, in input samples counted from the centre of the first."""
        return self.first + self.step * np.arange(self.count, dtype=float)


def receptive_cells(windows: Iterable[Window], size: int) -> Cells:
    """Receptive-field centres of what `windows`, applied in order, leave of `size` samples."""
    first, step = 0.0, 1.0
    for window in windows:
        extent = window.dilation * (window.kernel - 1)
        first += step * (extent / 2 - window.padding)
        step *= window.stride
        size = (size + 2 * window.padding - extent - 1) // window.stride + 1
    return Cells(first, step, size)


def tiled_cells(count: int, size: int) -> Cells:
    """Cells as the published figures place them: `size` samples in `count` equal blocks."""
    return Cells((size / count - 1) / 2, size / count, count)


def cell_affine(
    cells: tuple[Cells, Cells, Cells], affine: Float64[np.ndarray, "4 4"]
) -> Float64[np.ndarray, "4 4"]:
    """Affine from a map's index to the patient, given that of the input's samples."""
    on_input = np.diag([*(axis.step for axis in cells), 1.0])
    on_input[:3, 3] = [axis.first for axis in cells]
    return affine @ on_input


def onto(
    values: Shaped[np.ndarray, "slice row column"],
    affine: Float64[np.ndarray, "4 4"],
    shape: tuple[int, int, int],
    target: Float64[np.ndarray, "4 4"],
) -> Float[np.ndarray, "new_slice new_row new_column"]:
    """A map on another grid, for looking: linear between cells, zero where no cell reaches.

    Both grids must share their directions up to order and sign, as a scan and what was
    computed from it do.
    """
    step = np.linalg.inv(affine) @ target  # index on the new grid -> index on the map
    scale = np.abs(step[:3, :3])
    axes = scale.argmax(axis=1)  # the new grid's axis along each axis of the map
    rest = scale.copy()
    rest[np.arange(3), axes] = 0
    if sorted(axes) != [0, 1, 2] or (rest * np.array(shape)).max() > 0.01 * scale.max():
        raise GeometryError(
            "the two grids are turned against each other: resample one of them to the "
            "directions of the other first"
        )
    weights = [
        cell_weights(step[axis, 3] + step[axis, along] * np.arange(shape[along]), count)
        for axis, (along, count) in enumerate(zip(axes, values.shape, strict=True))
    ]
    turned = resample(values, weights, outside=0.0)
    return np.ascontiguousarray(turned.transpose(np.argsort(axes)))
