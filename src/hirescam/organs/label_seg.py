"""Label images in DICOM Segmentation objects."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from hirescam.ct.validation import as_read_error
from hirescam.errors import MissingPackageError
from hirescam.organs.labels import LabelImage

_FROM_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def read_label_seg(path: Path) -> LabelImage:
    """The segments of a DICOM SEG file by their labels, in lower case with `_` for spaces.

    Where segments overlap, the later one counts. Frames without any segment may be absent from
    the file, so that the image can be smaller than the scan. Needs highdicom.
    """
    with as_read_error(path):
        segmentation: Any = _highdicom_seg().segread(path)
        numbers = list(segmentation.segment_numbers)
        grid = segmentation.get_volume(segment_numbers=numbers[:1])
        codes = np.zeros(grid.spatial_shape, np.uint16)
        for number in numbers:
            segment = segmentation.get_volume(segment_numbers=[number])
            codes[segment.array[..., 0] > 0] = number
    names = {
        number: _name(segmentation.get_segment_description(number).segment_label)
        for number in numbers
    }
    return LabelImage(codes, _FROM_LPS @ grid.affine, names=names, whole=False)


def _highdicom_seg() -> Any:
    try:
        return import_module("highdicom.seg")
    except ImportError as error:
        raise MissingPackageError(
            "reading DICOM segmentations needs highdicom: pip install 'hirescam[dicom]'"
        ) from error


def _name(label: str) -> str:
    return "_".join(str(label).lower().split())
