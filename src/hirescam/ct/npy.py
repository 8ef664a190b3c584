"""NPY: a bare array, whose sidecar says where it lies in the patient."""

from io import BufferedIOBase
from pathlib import Path

import numpy as np
from jaxtyping import Shaped
from numpy.lib import format as npy

from hirescam.ct.hounsfield import check_three_axes, hounsfield
from hirescam.ct.limits import announced_bytes
from hirescam.ct.payload import check_held, read_exactly
from hirescam.ct.sidecar import Sidecar, read_sidecar
from hirescam.ct.volume import Volume
from hirescam.errors import ReadError

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
    check_three_axes(shape)
    size = announced_bytes(shape, dtype.itemsize)
    check_held(held - stream.tell(), size)
    stored = read_exactly(stream, size).view(dtype)
    return stored.reshape(shape[::-1]).T if by_columns else stored.reshape(shape)
