"""Facing: values are turned to reading order, and back to the axes of the scan they lie on.

Reading order is that of radiologists: slices from head to feet, rows from front to back,
columns from right to left. An oblique scan takes the nearest directions.
"""

import nibabel as nib
import numpy as np
from jaxtyping import Float64, Shaped

from hirescam.organs.masks import Box

READING = "IPL"

Affine = Float64[np.ndarray, "4 4"]


def facing_reader(
    values: Shaped[np.ndarray, "slice row column"], affine: Affine
) -> Shaped[np.ndarray, "down back left"]:
    """Values on the axes of the scan that `affine` places, turned to reading order."""
    turn = nib.orientations.ornt_transform(_scan(affine), _reading())
    return nib.orientations.apply_orientation(values, turn)


def on_scan_axes(
    values: Shaped[np.ndarray, "down back left"], affine: Affine
) -> Shaped[np.ndarray, "slice row column"]:
    """Values in reading order, turned back to the axes of the scan that `affine` places."""
    turn = nib.orientations.ornt_transform(_reading(), _scan(affine))
    return np.ascontiguousarray(nib.orientations.apply_orientation(values, turn))


def box_on_scan_axes(box: Box, shape: tuple[int, int, int], affine: Affine) -> Box:
    """A box in a grid of `shape` in reading order, turned back likewise."""
    turn = nib.orientations.ornt_transform(_reading(), _scan(affine))
    turned = [slice(0)] * 3
    for side, length, (axis, direction) in zip(box, shape, turn, strict=True):
        flipped = slice(length - side.stop, length - side.start)
        turned[int(axis)] = side if direction > 0 else flipped
    first, second, third = turned
    return first, second, third


def _reading() -> Float64[np.ndarray, "3 2"]:
    return nib.orientations.axcodes2ornt(READING)


def _scan(affine: Affine) -> Float64[np.ndarray, "3 2"]:
    return nib.orientations.io_orientation(affine)
