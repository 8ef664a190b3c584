"""LPS: DICOM and ITK measure to the patient's left and back, we to the right and front."""

import numpy as np
from jaxtyping import Float, Float64


def affine_from_lps(
    origin_mm: Float[np.ndarray, "3"],
    slice_step_mm: Float[np.ndarray, "3"],
    row_step_mm: Float[np.ndarray, "3"],
    column_step_mm: Float[np.ndarray, "3"],
) -> Float64[np.ndarray, "4 4"]:
    """RAS affine of voxels whose first place, and steps along each axis, are given in LPS."""
    affine = np.eye(4)
    affine[:3] = np.column_stack([slice_step_mm, row_step_mm, column_step_mm, origin_mm])
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
