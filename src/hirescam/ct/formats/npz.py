"""NPZ: a volume of RAD-ChestCT, whose grid is known from its publication.

Draelos et al., Medical Image Analysis 67, 2021: https://doi.org/10.1016/j.media.2020.101857
"""

import zipfile
from io import BufferedIOBase
from pathlib import Path
from typing import cast

import numpy as np
from jaxtyping import Shaped

from hirescam.ct.formats.npy import (
    EXAMPLE,
    Sidecar,
    placed,
    read_array,
    read_sidecar,
    sidecar_path,
)
from hirescam.ct.validation import check_inflation
from hirescam.ct.volume import Volume
from hirescam.errors import GeometryError, ReadError

KEY = "ct"
SPACING_MM = 0.8
_LOWEST_HU, _HIGHEST_HU = -1000, 1000
# The first voxel is the origin, for the files do not say where the patient lay.
_PUBLISHED = Sidecar(spacing_mm=(SPACING_MM,) * 3, orientation="IPL")


def read_npz(path: Path) -> Volume:
    """Array `ct`: 0.8 mm cubes, slices to the feet, rows to the back, columns to the left.

    Values that RAD-ChestCT cannot hold are of another grid: they need a sidecar that tells it,
    as .npy files do, or are a `GeometryError`.
    """
    if not zipfile.is_zipfile(path):
        raise ReadError("is not a zip archive, as NPZ is: save the array with numpy.savez")
    stored = _stored(path)
    if sidecar_path(path).exists():
        return placed(stored, read_sidecar(path))
    if stored.dtype != np.int16 or stored.min() < _LOWEST_HU or stored.max() > _HIGHEST_HU:
        raise GeometryError(
            f"holds {stored.dtype} from {stored.min():g} to {stored.max():g}, but RAD-ChestCT, "
            f"whose place is known, int16 from {_LOWEST_HU} to {_HIGHEST_HU}: write "
            f"{sidecar_path(path).name} beside it, such as {EXAMPLE}"
        )
    return placed(stored, _PUBLISHED)


def _stored(path: Path) -> Shaped[np.ndarray, "slice row column"]:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if f"{KEY}.npy" not in names:
            raise ReadError(
                f"holds {len(names)} arrays, none of them named {KEY!r} as in RAD-ChestCT: "
                f"save the scan under that name"
            )
        member = archive.getinfo(f"{KEY}.npy")
        check_inflation(member.file_size, member.compress_size)
        with archive.open(member) as stream:
            return read_array(cast(BufferedIOBase, stream), held=member.file_size)
