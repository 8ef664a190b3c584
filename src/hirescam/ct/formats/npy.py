"""NPY: a bare array, and the sidecar (JSON) that says where it lies in the patient."""

from io import BufferedIOBase
from pathlib import Path
from typing import Annotated

import numpy as np
from jaxtyping import Float64, Shaped
from numpy.lib import format as npy
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from hirescam.ct.formats.payload import check_held, read_exactly
from hirescam.ct.validation import announced_bytes, check_three_axes, hounsfield
from hirescam.ct.volume import Volume, affine_towards
from hirescam.errors import GeometryError, ReadError

# --- Sidecar: a small JSON file that says what an array does not, where it lies in the patient

_LONGEST_BYTES = 1 << 16
EXAMPLE = '{"spacing_mm": [1.0, 0.7, 0.7], "orientation": "IPL"}'

_Three = tuple[FiniteFloat, FiniteFloat, FiniteFloat]
_Four = tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat]
_Length = Annotated[FiniteFloat, Field(gt=0)]


class Sidecar(BaseModel):
    """Spacing and orientation along slices, rows and columns, or an affine; and the scaling.

    `affine` leads from slice, row, column to the patient's right, front and head in mm. Values
    times `rescale_slope` plus `rescale_intercept` are Hounsfield units.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    spacing_mm: tuple[_Length, _Length, _Length] | None = None
    orientation: str | None = Field(default=None, pattern="^[LRAPSI]{3}$")
    origin_mm: _Three = (0.0, 0.0, 0.0)
    affine: tuple[_Four, _Four, _Four, _Four] | None = None
    rescale_slope: FiniteFloat = 1.0
    rescale_intercept: FiniteFloat = 0.0

    @model_validator(mode="after")
    def _says_the_place_once(self) -> "Sidecar":
        by_name = {"spacing_mm", "orientation"} <= self.model_fields_set
        named = {"spacing_mm", "orientation", "origin_mm"} & self.model_fields_set
        if (self.affine is None) != by_name or (self.affine is not None and named):
            raise ValueError("place")
        return self

    @property
    def matrix(self) -> Float64[np.ndarray, "4 4"]:
        """From slice, row, column to RAS mm."""
        if self.affine is not None:
            return np.array(self.affine)
        assert self.spacing_mm is not None
        assert self.orientation is not None
        return affine_towards(self.orientation, self.spacing_mm, self.origin_mm)


def sidecar_path(path: Path) -> Path:
    """`scan.json` beside `scan.npy`."""
    return path.with_suffix(".json")


def read_sidecar(path: Path) -> Sidecar:
    """What the sidecar of an array says; what it says wrongly is not repeated in the error."""
    sidecar = sidecar_path(path)
    if not sidecar.is_file():
        raise GeometryError(
            f"says nothing of its place in the patient: write {sidecar.name} beside it, such "
            f"as {EXAMPLE} for slices to the feet, rows to the back, columns to the left"
        )
    if sidecar.stat().st_size > _LONGEST_BYTES:
        raise ReadError(f"{sidecar.name} beside it is no sidecar, but {_LONGEST_BYTES}+ bytes")
    try:
        return Sidecar.model_validate_json(sidecar.read_bytes())
    except ValidationError as error:
        known = {str(fault["loc"][0]) for fault in error.errors() if fault["loc"]}
        wrong = ", ".join(sorted(known & set(Sidecar.model_fields))) or "what it says"
        raise GeometryError(
            f"{sidecar.name} beside it is wrong in {wrong}: give spacing_mm and orientation, "
            f"or affine alone, such as {EXAMPLE}"
        ) from None


# --- NPY: a bare array, whose sidecar says where it lies in the patient

_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_npy(path: Path) -> Volume:
    """The array in a .npy file, placed and scaled as `scan.json` beside `scan.npy` says."""
    sidecar = read_sidecar(path)
    with path.open("rb") as stream:
        return placed(read_array(stream, held=path.stat().st_size), sidecar)


def placed(stored: Shaped[np.ndarray, "slice row column"], sidecar: Sidecar) -> Volume:
    """The volume that an array and its sidecar make together."""
    slope, intercept = sidecar.rescale_slope, sidecar.rescale_intercept
    planes = [hounsfield(plane, slope, intercept) for plane in stored]
    return Volume(np.stack(planes), sidecar.matrix)


def read_array(stream: BufferedIOBase, *, held: int) -> Shaped[np.ndarray, "slice row column"]:
    """The three-axis array of numbers in `stream`, which holds `held` bytes in all."""
    shape, by_columns, dtype = _HEADERS[npy.read_magic(stream)](stream)
    if dtype.hasobject:
        raise ReadError(
            "holds Python objects (a pickle), which are never loaded: save plain numbers"
        )
    while len(shape) > 3 and 1 in (shape[0], shape[-1]):  # one volume of a series of one
        shape = shape[1:] if shape[0] == 1 else shape[:-1]
    check_three_axes(shape)
    size = announced_bytes(shape, dtype.itemsize)
    if held - stream.tell() < size:
        check_held(held - stream.tell(), size)
    stored = read_exactly(stream, size).view(dtype)
    return stored.reshape(shape[::-1]).T if by_columns else stored.reshape(shape)
