"""Axes by name: where slices, rows and columns lead, as three letters or as a plane."""

import numpy as np
from jaxtyping import Float64

from hirescam.errors import GeometryError

_TOWARDS = {
    "R": (1, 0, 0), "A": (0, 1, 0), "S": (0, 0, 1),
    "L": (-1, 0, 0), "P": (0, -1, 0), "I": (0, 0, -1),
}  # fmt: skip

_LINES = str.maketrans("LPI", "RAS")
_Three = tuple[float, float, float]

# As radiologists hang them: what one plane shows, its rows downwards, its columns to the right.
PLANES = {"axial": "IPL", "coronal": "PIL", "sagittal": "LIP"}


def axis_codes(name: str) -> str:
    """Three letters for where slices, rows and columns lead: those given, or those of a plane.

    "IPL" and "axial" are slices to the feet (inferior), rows to the back (posterior), columns
    to the left. `GeometryError` for anything else.
    """
    codes = PLANES.get(name.lower(), name.upper())
    if sorted(codes.translate(_LINES)) != ["A", "R", "S"]:
        raise GeometryError(
            f"orientation is {name!r}, expected one letter each of L/R, A/P and I/S for where "
            f"slices, rows and columns lead, or {', '.join(PLANES)}"
        )
    return codes


def affine_towards(
    orientation: str, spacing_mm: _Three, origin_mm: _Three = (0.0, 0.0, 0.0)
) -> Float64[np.ndarray, "4 4"]:
    """RAS affine of axes that lead where `orientation` says, the first voxel at `origin_mm`."""
    affine = np.eye(4)
    directions = np.array([_TOWARDS[code] for code in axis_codes(orientation)], float)
    affine[:3, :3] = directions.T * np.array(spacing_mm)
    affine[:3, 3] = origin_mm
    return affine
