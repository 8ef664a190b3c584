"""Facing: what was found in reading order goes back to the axes of the scan it was found in."""

import nibabel as nib
import numpy as np
from jaxtyping import Float64, Shaped

from hirescam.ct.volume import Volume, reorient
from hirescam.organs.masks import Box

READING = "IPL"
"""Slices from head to feet, rows from front to back, columns from right to left."""


def in_reading_order(volume: Volume) -> Volume:
    """The same voxels as radiologists read them, whatever the scan's own axes are."""
    return reorient(volume, READING)


def on_scan_axes(
    values: Shaped[np.ndarray, "down back left"], affine: Float64[np.ndarray, "4 4"]
) -> Shaped[np.ndarray, "slice row column"]:
    """Values in reading order, turned back to the axes of the scan that `affine` places."""
    turned = nib.orientations.apply_orientation(values, _turn(affine))
    return np.ascontiguousarray(turned)


def box_on_scan_axes(
    box: Box, shape: tuple[int, int, int], affine: Float64[np.ndarray, "4 4"]
) -> Box:
    """A box in a grid of `shape` in reading order, turned back likewise."""
    turned = [slice(0)] * 3
    for side, length, (axis, direction) in zip(box, shape, _turn(affine), strict=True):
        start, stop = (
            (side.start, side.stop)
            if direction > 0
            else (length - side.stop, length - side.start)
        )
        turned[int(axis)] = slice(start, stop)
    first, second, third = turned
    return first, second, third


def _turn(affine: Float64[np.ndarray, "4 4"]) -> Float64[np.ndarray, "3 2"]:
    """For each axis in reading order, which axis of the scan it becomes, and its direction."""
    reading = nib.orientations.axcodes2ornt(READING)
    return nib.orientations.ornt_transform(reading, nib.orientations.io_orientation(affine))
