"""A map as NIfTI: its values, and where they lie in the patient; nothing about the patient."""

from pathlib import Path

import numpy as np
from jaxtyping import Float, Float64

from hirescam.ct.volume import write_nifti


def write_map_nifti(
    path: Path | str,
    values: Float[np.ndarray, "slice row column"],
    affine: Float64[np.ndarray, "4 4"],
) -> Path:
    """Write `values` as float32 with `affine`, which leads from slice, row, column to RAS mm.

    Axes, place and errors are those of `write_nifti`.
    """
    whole = values.astype(np.float32, copy=False)
    return write_nifti(path, whole, affine, description="hirescam map, logit per cell")
