"""Heuristic masks: where organs lie in most chests, for scans in which they are not found.

Lungs are the halves of a chest, and the mediastinum overlaps both: of six columns the middle
four (as coded for arXiv:2011.08891) or three (as printed there).
"""

from math import inf

import numpy as np

from hirescam.organs.masks import Box

# First and last end in such columns, counted to the patient's left from the midline.
_LUNGS = {"right_lung": (-inf, 0.0), "left_lung": (0.0, inf)}
PLACES: dict[str, dict[str, tuple[float, float]]] = {
    "four_of_six": {**_LUNGS, "mediastinum": (-2.0, 2.0)},
    "centre_half": {**_LUNGS, "mediastinum": (-1.5, 1.5)},
}


def heuristic_boxes(
    within: Box, midline: float, column: float, places: str = "four_of_six"
) -> dict[str, Box]:
    """One box per organ in a grid in reading order, inside the box `within`.

    `midline` is a place along its columns, `column` the width of each of the six.
    """
    slices, rows, across = within
    return {
        organ: (slices, rows, slice(*(int(end) for end in ends)))
        for organ, place in PLACES[places].items()
        for ends in [
            np.rint(np.clip(np.array(place) * column + midline, across.start, across.stop))
        ]
    }
