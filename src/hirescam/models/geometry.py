"""Geometry: what each cell of a network's layers sees, and how many cells they leave."""

from collections.abc import Iterator
from typing import Literal

from torch import nn

from hirescam.ct.grid import Window, receptive_cells

Axis = Literal["slice", "row", "column"]
_AXES: tuple[Axis, ...] = ("slice", "row", "column")
_LAYERS = (nn.Conv2d, nn.Conv3d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool2d, nn.AvgPool3d)
_BESIDE = "downsample"


def windows(network: nn.Module, axis: Axis) -> Iterator[Window]:
    """What each convolution and pooling on the network's main path sees, in order.

    A shortcut beside a residual block has the same cell centres, so it is passed over. A
    network whose layers are not one after another says it in an attribute `windows`, of rows
    and likewise of columns.
    """
    own = getattr(network, "windows", None)
    if own is not None:
        yield from () if axis == "slice" else own
    elif isinstance(network, _LAYERS):
        yield from _of_layer(network, axis)
    else:
        for name, child in network.named_children():
            if name != _BESIDE:
                yield from windows(child, axis)


def counts(network: nn.Module, shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Cells that a network's layers leave of so many slices, rows and columns."""
    slices, rows, columns = (
        receptive_cells(windows(network, axis), size).count
        for axis, size in zip(_AXES, shape, strict=True)
    )
    return slices, rows, columns


def _of_layer(layer: nn.Module, axis: Axis) -> Iterator[Window]:
    dimensions = 3 if "3d" in type(layer).__name__ else 2
    along = _AXES.index(axis) - (len(_AXES) - dimensions)
    if along >= 0:
        yield Window(
            *(
                _at(getattr(layer, name, 1), along)
                for name in ("kernel_size", "stride", "padding", "dilation")
            )
        )


def _at(value: int | tuple[int, ...], along: int) -> int:
    return value if isinstance(value, int) else int(value[along])
