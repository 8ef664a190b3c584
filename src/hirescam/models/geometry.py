"""Geometry: what a network's layers make of an input's shape, and what each cell sees."""

from collections.abc import Iterator
from typing import Literal

import torch
from torch import nn
from torch.func import functional_call

from hirescam.ct.grid import Window

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


def output_shape(network: nn.Module, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that `network` gives for an input of `shape`, batch left out; nothing is run.

    The network is left as it was: its layers pass on shapes of copies that hold no numbers.
    """
    state = {
        name: tensor.detach().to("meta")
        for tensors in (network.named_parameters(), network.named_buffers())
        for name, tensor in tensors
    }
    x = torch.empty(2, *shape, device="meta")  # two: batch norm wants more than one value
    with torch.no_grad():
        return tuple(functional_call(network, state, (x,)).shape[1:])


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
