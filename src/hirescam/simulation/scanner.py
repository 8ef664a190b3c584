"""Scanner: what it adds to the truth: noise, and the edges of its reconstruction kernel."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float32

from hirescam.simulation.shapes import Number

Plane = Float32[np.ndarray, "row column"]


def noise(
    shape: tuple[int, int, int], sd_hu: Number, random: np.random.Generator
) -> Iterator[Plane]:
    """Noise slice by slice, correlated between neighbours in all directions."""
    slices, rows, columns = shape
    size = (rows + 1, columns + 1)
    before = random.standard_normal(size, np.float32)
    for _ in range(slices):
        white = random.standard_normal(size, np.float32)
        plane = before + white
        plane = plane[1:] + plane[:-1]
        plane = plane[:, 1:] + plane[:, :-1]
        yield plane * np.float32(sd_hu / np.sqrt(8))
        before = white


def reconstruct(plane: Plane, sharpness: Number) -> Plane:
    """A slice through a smooth (−1) to sharp (1) kernel; it scales noise by 0.7 to 1.3."""
    side = np.float32(-0.12 * sharpness)
    for axis in (plane, plane.T):
        edges = side * np.diff(axis, axis=0)
        axis[:-1] += edges
        axis[1:] -= edges
    return plane
