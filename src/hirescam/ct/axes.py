"""Axes by name: where slices, rows and columns lead, as three letters or as a plane."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from hirescam.errors import GeometryError

_TOWARDS = {
    "R": (1, 0, 0), "A": (0, 1, 0), "S": (0, 0, 1),
    "L": (-1, 0, 0), "P": (0, -1, 0), "I": (0, 0, -1),
}  # fmt: skip

# As radiologists hang them: what one plane shows, its rows downwards, its columns to the right.
PLANES = {"axial": "IPL", "coronal": "PIL", "sagittal": "LIP"}


def axis_codes(name: str) -> str:
    """Three letters for where slices, rows and columns lead: those given, or those of a plane.

    "IPL" and "axial" are slices to the feet (inferior), rows to the back (posterior), columns
    to the left. `GeometryError` for anything else.
    """
    codes = PLANES.get(name.lower(), name.upper())
    if len(codes) != 3 or len({codes.translate(_LINES).count(line) for line in "RAS"} - {1}):
        raise GeometryError(
            f"orientation is {name!r}, expected one letter each of L/R, A/P and I/S for where "
            f"slices, rows and columns lead, or {', '.join(PLANES)}"
        )
    return codes


def affine_towards(
    orientation: str, spacing_mm: Sequence[float], origin_mm: Sequence[float] = (0, 0, 0)
) -> Float64[np.ndarray, "4 4"]:
    """RAS affine of axes that lead where `orientation` says, the first voxel at `origin_mm`."""
    affine = np.eye(4)
    directions = np.array([_TOWARDS[code] for code in axis_codes(orientation)], float)
    affine[:3, :3] = directions.T * np.array(spacing_mm)
    affine[:3, 3] = origin_mm
    return affine


_LINES = str.maketrans("LPI", "RAS")
