"""NPZ: a volume of RAD-ChestCT, whose grid is known from its publication.

Draelos et al., Medical Image Analysis 67, 2021: https://doi.org/10.1016/j.media.2020.101857
"""

import zipfile
from pathlib import Path

import numpy as np

from hirescam.ct.hounsfield import check_three_axes, hounsfield
from hirescam.ct.volume import Volume
from hirescam.errors import ReadError

KEY = "ct"
SPACING_MM = 0.8


def read_npz(path: Path) -> Volume:
    """Array `ct`: 0.8 mm cubes, slices to the feet, rows to the back, columns to the left.

    The file does not say where the patient lay, so that the first voxel is the origin.
    """
    if not zipfile.is_zipfile(path):
        raise ReadError("is not a zip archive, as NPZ is: save the array with numpy.savez")
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        if KEY not in archive.files:
            raise ReadError(
                f"holds {', '.join(map(repr, archive.files)) or 'no arrays'}, expected an "
                f"array named {KEY!r} as in RAD-ChestCT: save the scan under that name"
            )
        stored = archive[KEY]
    check_three_axes(stored.shape)
    planes = [hounsfield(plane) for plane in stored]
    to_feet_back_left = -np.eye(4)[[2, 1, 0, 3]] * SPACING_MM
    to_feet_back_left[3, 3] = 1.0
    return Volume(np.stack(planes), to_feet_back_left)
