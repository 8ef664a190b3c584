"""Heuristic masks: where organs lie in most chests, for scans in which they are not found.

As published: lungs are the halves of the scan, and the mediastinum overlaps both. It is the
middle four (as coded) or three (as printed) of the six columns, 56 mm each, that the smallest
maps of a scan have.
"""

from math import inf

import numpy as np

from hirescam.organs.masks import Box

_COLUMN_MM = 420 * 0.8 / 6

# First and last end in such columns, counted to the patient's left from the scan's midline.
_LUNGS = {"right_lung": (-inf, 0.0), "left_lung": (0.0, inf)}
PLACES: dict[str, dict[str, tuple[float, float]]] = {
    "four_of_six": {**_LUNGS, "mediastinum": (-2.0, 2.0)},
    "centre_half": {**_LUNGS, "mediastinum": (-1.5, 1.5)},
}


def heuristic_boxes(
    shape: tuple[int, int, int], voxel_mm: float, places: str = "four_of_six"
) -> dict[str, Box]:
    """One box per organ in a grid in reading order, whose columns are `voxel_mm` wide."""
    slices, rows, width = shape
    midline = width // 2
    ends = {
        organ: np.clip(np.array(place) * _COLUMN_MM / voxel_mm + midline, 0, width)
        for organ, place in PLACES[places].items()
    }
    return {
        organ: (slice(0, slices), slice(0, rows), slice(round(first), round(last)))
        for organ, (first, last) in ends.items()
    }
