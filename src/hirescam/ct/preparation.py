"""Preparation: how a scan becomes a network's input."""

import math
from typing import Annotated, Literal

import numpy as np
import torch
from jaxtyping import Float, Shaped
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator
from torch import Tensor

from hirescam.ct.grid import INTERPOLATIONS, in_type_of, resample
from hirescam.ct.validation import MOST_VOXELS
from hirescam.ct.volume import AIR_HU, Volume, reorient

_Millimetres = Annotated[float, Field(ge=0.01, le=1000)]
_Count = Annotated[int, Field(ge=1, le=100_000)]
_Hounsfield = Annotated[float, Field(ge=-1e6, le=1e6)]


class Preparation(BaseModel):
    """What a model expects: grid, window and grouping. The defaults are the paper's.

    A scan is turned to `orientation`, resampled to `spacing_mm`, cut or padded with air
    around its centre to `shape`, windowed to [0, 1], shifted by `mean`, and its slices are
    grouped as the channels of a 2D network. Published code: RAD-ChestCT, 2020.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    spacing_mm: tuple[_Millimetres, _Millimetres, _Millimetres] = (0.8, 0.8, 0.8)
    shape: tuple[_Count, _Count, _Count] = (405, 420, 420)
    window_hu: tuple[_Hounsfield, _Hounsfield] = (-1000.0, 800.0)
    mean: FiniteFloat = 0.449
    group: int = Field(default=3, ge=1)
    orientation: str = Field(default="IPL", pattern="^[LRAPSI]{3}$")
    interpolation: Literal["bspline", "linear"] = "bspline"

    @model_validator(mode="after")
    def _is_possible(self) -> "Preparation":
        if math.prod(self.shape) > MOST_VOXELS:
            raise ValueError(f"shape has over {MOST_VOXELS} voxels")
        if self.shape[0] % self.group:
            raise ValueError(
                f"{self.shape[0]} slices do not divide into groups of {self.group}"
            )
        if self.window_hu[0] >= self.window_hu[1]:
            raise ValueError("window_hu must run from low to high")
        return self

    @property
    def input_shape(self) -> tuple[int, int, int, int]:
        """Slice groups, channels, rows, columns."""
        slices, rows, columns = self.shape
        return slices // self.group, self.group, rows, columns


def place(volume: Volume, preparation: Preparation) -> Volume:
    """The scan on the grid that the network sees, still in HU and in its place in the patient.

    Outside the scan there is air. Where the spacings agree no
    whole HU changes.
    """
    return _placed(volume, preparation, preparation.interpolation, outside=float(AIR_HU))


def place_codes(codes: Volume, preparation: Preparation) -> Volume:
    """Codes, such as those of organs, on the grid that the network sees; 0 outside."""
    return _placed(codes, preparation, "nearest", outside=0.0)


def _placed(
    volume: Volume, preparation: Preparation, interpolation: str, *, outside: float
) -> Volume:
    turned = reorient(volume, preparation.orientation)
    scale, start = _grid(turned, preparation)
    kernel = INTERPOLATIONS[interpolation]
    weights = [
        kernel(first + step * np.arange(new), old)
        for first, step, new, old in zip(
            start, scale, preparation.shape, turned.shape, strict=True
        )
    ]
    moved = np.diag([*scale, 1.0])
    moved[:3, 3] = start
    values = resample(turned.voxels, weights, outside=outside)
    return Volume(in_type_of(values, volume.voxels), turned.affine @ moved)


def network_input(
    placed: Volume, preparation: Preparation
) -> Float[Tensor, "slice channel row column"]:
    """What the network is fed: windowed, shifted, slices grouped as channels."""
    return windowed(torch.from_numpy(placed.voxels), preparation)


def windowed(
    voxels: Shaped[Tensor, "slices row column"],
    preparation: Preparation,
    *,
    out: Float[Tensor, "slice channel row column"] | None = None,
) -> Float[Tensor, "slice channel row column"]:
    """The same of placed voxels in HU, computed on the device on which they lie.

    Memory can be given as `out`: on a processor, new memory costs more than the rest.
    """
    low, high = preparation.window_hu
    if out is None:
        shape = len(voxels) // preparation.group, preparation.group, *voxels.shape[1:]
        out = torch.empty(shape, device=voxels.device)
    each = 1 if voxels.device.type == "cpu" else len(voxels)  # a slice stays in the cache
    parts = torch.split(out.flatten(0, 1), each), torch.split(voxels, each)
    for into, part in zip(*parts, strict=True):
        into.copy_(part).clamp_(low, high).sub_(low).div_(high - low).sub_(preparation.mean)
    return out


def _grid(volume: Volume, preparation: Preparation) -> tuple[list[float], list[float]]:
    """Step and start of the placed grid along each axis, in voxels of `volume`.

    Padding and cropping are counted in whole new voxels, as published: half of it before,
    rounded down.
    """
    scale, start = [], []
    for old, had, wanted, new in zip(
        volume.shape, volume.spacing_mm, preparation.spacing_mm, preparation.shape, strict=True
    ):
        step = wanted / had
        if abs(step - 1) < 1e-4:
            step = 1.0
        excess = round(old / step) - new
        before = excess // 2 if excess >= 0 else -(-excess // 2)
        scale.append(step)
        start.append(before * step)
    return scale, start
