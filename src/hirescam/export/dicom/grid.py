"""Grid: voxels on the scan's own grid, as highdicom takes them."""

import highdicom
import numpy as np
from jaxtyping import Shaped

from hirescam.ct.volume import Volume
from hirescam.export.dicom.source import SourceSeries

_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def on_grid_of(
    values: Shaped[np.ndarray, "slice row column *channel"], scan: Volume, source: SourceSeries
) -> highdicom.Volume:
    """One frame for each slice of the scan, in its place in the series' frame of reference.

    More channels than one are segments, numbered from 1.
    """
    segments = range(1, values.shape[3] + 1) if values.ndim == 4 else ()
    return highdicom.Volume(
        values,
        _TO_LPS @ scan.affine,
        coordinate_system="PATIENT",
        frame_of_reference_uid=source.frame_of_reference,
        channels={"SegmentNumber": list(segments)} if segments else None,
    )
