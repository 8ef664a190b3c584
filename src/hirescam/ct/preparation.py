"""Preparation: how a scan becomes a network's input."""

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Shaped
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
    model_serializer,
    model_validator,
)
from torch import Tensor

from hirescam.ct.grid import INTERPOLATIONS, in_type_of, resample
from hirescam.ct.validation import MOST_VOXELS
from hirescam.ct.volume import AIR_HU, Volume, reorient
from hirescam.errors import ModelError, VoxelError

_Millimetres = Annotated[float, Field(ge=0.01, le=1000)]
_Count = Annotated[int, Field(ge=1, le=100_000)]
_Hounsfield = Annotated[float, Field(ge=-1e6, le=1e6)]


class _OwnErrors(type(BaseModel)):  # type: ignore[misc]  # its metaclass has no public name
    """Makes a call of the class raise our error; a file's reader still sees pydantic's."""

    def __call__(cls, *positional: Any, **values: Any) -> Any:
        try:
            return super().__call__(*positional, **values)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"]))
            raise ModelError(
                f"no preparation has {f'{key}: ' if key else ''}"
                f"{first['msg'].removeprefix('Value error, ')} (given {first['input']!r:.80}): "
                f"change it; the keys are {', '.join(cls.model_fields)}"
            ) from error


class Preparation(BaseModel, metaclass=_OwnErrors):
    """What a model expects: grid, window and grouping. The defaults are the paper's.

    A scan is turned to `orientation`, which also names the order of the axes: "RAS" gives a
    network (x, y, z). It is resampled to `spacing_mm` and cut or padded around its centre to
    `shape`; `fit="monai"` counts voxels as MONAI's Spacing, SpatialPad and CenterSpatialCrop
    do, and `fit="resize"` stretches the whole scan, or what is left after `crop_above_hu`, over
    `shape`. Values are windowed to [0, 1], shifted by `mean` and divided by `std`. Slices are
    grouped as the channels of a 2D network, or each value repeated in `channels`. Published
    code of the defaults: RAD-ChestCT, 2020.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    spacing_mm: tuple[_Millimetres, _Millimetres, _Millimetres] = (0.8, 0.8, 0.8)
    shape: tuple[_Count, _Count, _Count] = (405, 420, 420)
    window_hu: tuple[_Hounsfield, _Hounsfield] = (-1000.0, 800.0)
    mean: FiniteFloat = 0.449
    group: int = Field(default=3, ge=1)
    orientation: str = Field(default="IPL", pattern="^[LRAPSI]{3}$")
    interpolation: Literal["bspline", "linear", "nearest", "trilinear", "area"] = "bspline"
    """`linear` widens its kernel where it takes voxels away; `trilinear` and `area` are
    torch's, `area` for `fit="resize"` alone."""
    fit: Literal["pad_or_crop", "monai", "resize"] = "pad_or_crop"
    crop_above_hu: _Hounsfield | None = None
    """With `fit="resize"`: only the box around voxels above this is stretched."""
    padding_hu: _Hounsfield = float(AIR_HU)
    std: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] = 1.0
    channels: Literal[1, 3] = 1

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
        if self.channels > 1 and self.group > 1:
            raise ValueError("channels repeat single slices: set group to 1")
        if self.fit != "resize" and (
            self.crop_above_hu is not None or self.interpolation == "area"
        ):
            raise ValueError("crop_above_hu and area go with fit='resize' alone")
        return self

    @model_serializer(mode="wrap")
    def _without_defaults(self, dump: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """Keys of 0.2 are left out at their defaults: older files stay what they are."""
        written = dump(self)
        return {
            key: value
            for key, value in written.items()
            if key not in _SINCE_0_2 or value != type(self).model_fields[key].default
        }

    @property
    def input_shape(self) -> tuple[int, int, int, int]:
        """Slice groups, channels, rows, columns."""
        slices, rows, columns = self.shape
        return slices // self.group, self.group * self.channels, rows, columns


_SINCE_0_2 = ("fit", "crop_above_hu", "padding_hu", "std", "channels")


def place(volume: Volume, preparation: Preparation) -> Volume:
    """The scan on the grid that the network sees, still in HU and in its place in the patient.

    Outside the scan there is air, or `padding_hu`. Where the spacings agree no whole HU
    changes.
    """
    turned = reorient(volume, preparation.orientation)
    box = _box(turned, preparation)
    scale, start = _grid(turned, preparation, box)
    outside = preparation.padding_hu
    if preparation.fit == "pad_or_crop" or preparation.interpolation == "bspline":
        kernel = preparation.interpolation
        return _resampled(turned, volume, preparation, kernel, scale, start, outside=outside)
    lengths = [axis.stop - axis.start for axis in box]
    weights = [
        _torch_weights(preparation, first + step * np.arange(new) - axis.start, length)
        for first, step, new, axis, length in zip(
            start, scale, preparation.shape, box, lengths, strict=True
        )
    ]
    values = resample(turned.voxels[box], weights, outside=outside)
    moved = np.diag([*scale, 1.0])
    moved[:3, 3] = start
    return Volume(values, turned.affine @ moved)


def place_codes(
    codes: Volume, preparation: Preparation, *, input_volume: Volume | None = None
) -> Volume:
    """Codes, such as those of organs, on the grid that the network sees; 0 outside.

    Where the scan's own values decide the grid (`crop_above_hu`), the `input_volume` that
    `place` made of it has to say so.
    """
    turned = reorient(codes, preparation.orientation)
    if input_volume is None:
        if preparation.crop_above_hu is not None:
            raise ModelError(
                "this preparation crops to what the scan shows: place codes with input_volume="
            )
        scale, start = _grid(turned, preparation, _whole(turned))
    else:
        step = np.linalg.inv(turned.affine) @ input_volume.affine
        scale, start = list(np.diag(step)[:3]), list(step[:3, 3])
    return _resampled(turned, codes, preparation, "nearest", scale, start, outside=0.0)


_Box = tuple[slice, slice, slice]


def _whole(turned: Volume) -> _Box:
    slices, rows, columns = (slice(0, size) for size in turned.shape)
    return slices, rows, columns


def _box(turned: Volume, preparation: Preparation) -> _Box:
    """The part of a turned scan that is fitted: all of it, or the box around its foreground."""
    if preparation.crop_above_hu is None:
        return _whole(turned)
    found = turned.voxels > preparation.crop_above_hu
    along = [found.any(axis=other) for other in ((1, 2), (0, 2), (0, 1))]
    if not along[0].any():
        raise VoxelError(
            f"the scan holds no voxel above {preparation.crop_above_hu:g} HU, to which this "
            f"model's preparation crops it: is it a CT in HU?"
        )
    ends = [np.flatnonzero(axis)[[0, -1]] for axis in along]
    slices, rows, columns = (slice(int(first), int(last) + 1) for first, last in ends)
    return slices, rows, columns


def _resampled(
    turned: Volume,
    volume: Volume,
    preparation: Preparation,
    interpolation: str,
    scale: list[float],
    start: list[float],
    *,
    outside: float,
) -> Volume:
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
    if preparation.channels > 1:
        single = preparation.model_copy(update={"channels": 1})
        return windowed(voxels, single, out=out).expand(-1, preparation.channels, -1, -1)
    low, high = preparation.window_hu
    if out is None:
        shape = len(voxels) // preparation.group, preparation.group, *voxels.shape[1:]
        out = torch.empty(shape, device=voxels.device)
    each = 1 if voxels.device.type == "cpu" else len(voxels)  # a slice stays in the cache
    parts = torch.split(out.flatten(0, 1), each), torch.split(voxels, each)
    for into, part in zip(*parts, strict=True):
        into.copy_(part).clamp_(low, high).sub_(low).div_(high - low).sub_(preparation.mean)
        if preparation.std != 1.0:
            into.div_(preparation.std)
    return out


def _grid(
    volume: Volume, preparation: Preparation, box: _Box
) -> tuple[list[float], list[float]]:
    """Step and start of the placed grid along each axis, in voxels of the turned `volume`."""
    count = {"pad_or_crop": _published_axis, "monai": _monai_axis, "resize": _resized_axis}
    each = [
        count[preparation.fit](axis, wanted / had, new)
        for axis, had, wanted, new in zip(
            box, volume.spacing_mm, preparation.spacing_mm, preparation.shape, strict=True
        )
    ]
    return [step for step, _ in each], [start for _, start in each]


def _published_axis(axis: slice, step: float, new: int) -> tuple[float, float]:
    """Padding and cropping in whole new voxels: half of it before, rounded down."""
    if abs(step - 1) < 1e-4:
        step = 1.0
    excess = round(axis.stop / step) - new
    before = excess // 2 if excess >= 0 else -(-excess // 2)
    return step, before * step


def _monai_axis(axis: slice, step: float, new: int) -> tuple[float, float]:
    """MONAI's count of resampled voxels, from first centre to last; its crop and its pad."""
    resampled = int(np.round((axis.stop - 1) / step)) + 1
    before = resampled // 2 - new // 2 if resampled >= new else -((new - resampled) // 2)
    return step, before * step


def _resized_axis(axis: slice, step: float, new: int) -> tuple[float, float]:
    """The whole axis over the new voxels, border to border."""
    step = (axis.stop - axis.start) / new
    return step, axis.start + (step - 1) / 2


def _torch_weights(
    preparation: Preparation, positions: Float[np.ndarray, "new"], old: int
) -> Float[np.ndarray, "new old"]:
    """Weights as torch's `interpolate` and MONAI's resampling give them, border repeated.

    Padded voxels, which lie further out than half a step, get none.
    """
    new = len(positions)
    if preparation.interpolation == "area":
        first = np.arange(new) * old // new
        last = -(-(np.arange(1, new + 1) * old) // new)
        inside = (np.arange(old) >= first[:, None]) & (np.arange(old) < last[:, None])
        return inside / inside.sum(axis=1, keepdims=True)
    if preparation.interpolation == "linear":
        near = np.clip(positions, 0, old - 1)
        weights = INTERPOLATIONS["linear"](near, old)
        weights = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    elif preparation.interpolation == "nearest":
        near = np.clip(np.rint(positions).astype(int), 0, old - 1)
        weights = np.eye(old)[near]
    else:
        near = np.clip(positions, 0, old - 1)
        weights = np.clip(1 - np.abs(near[:, None] - np.arange(old)), 0, None)
    step = abs(positions[1] - positions[0]) if new > 1 else 1.0
    reach = step / 2 + 1e-6 if preparation.fit == "monai" else np.inf
    beyond = (positions < -1e-6 - (reach if preparation.fit == "resize" else 0)) | (
        positions > old - 1 + reach
    )
    weights[beyond] = 0.0
    return weights
