"""Angles between the axes of a grid: right but for rounding, or sheared as by gantry tilt."""

import numpy as np
from jaxtyping import Float64

# Above it, the far end of a 300 mm scan lies over 0.3 mm from where right angles would put it.
LARGEST_COSINE = 1e-3


def is_rectangular(
    affine: Float64[np.ndarray, "4 4"], *, largest_cosine: float = LARGEST_COSINE
) -> bool:
    """Whether all axes stand at right angles to each other, but for rounding."""
    return _cosine(affine) <= largest_cosine


def degrees_off(affine: Float64[np.ndarray, "4 4"]) -> float:
    """How far the two axes that are furthest from a right angle are from it."""
    return float(np.degrees(np.arcsin(min(_cosine(affine), 1.0))))


def _cosine(affine: Float64[np.ndarray, "4 4"]) -> float:
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    return float(np.abs(np.triu(directions.T @ directions, k=1)).max())
