"""Values: what is said of one slice, wherever its file keeps it.

A file of one slice says everything at its top. A file of many (enhanced CT) keeps what differs
in a group of each frame, what they share in one group, and the rest at its top.
"""

import numpy as np
from jaxtyping import Float64

from hirescam.ct.dicom.headers import Header

_GROUPS = {
    "FrameAcquisitionNumber": "FrameContentSequence",
    "ImageOrientationPatient": "PlaneOrientationSequence",
    "ImagePositionPatient": "PlanePositionSequence",
    "PixelSpacing": "PixelMeasuresSequence",
    "SliceThickness": "PixelMeasuresSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
    "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleType": "PixelValueTransformationSequence",
}


def frames(header: Header) -> int:
    """How many slices a file holds."""
    return len(header.elements.get("PerFrameFunctionalGroupsSequence") or [None])


def value(header: Header, frame: int, keyword: str) -> object:
    """What the frame says, else what all frames share, else what the file says; else None."""
    elements = header.elements
    own = elements.get("PerFrameFunctionalGroupsSequence") or []
    shared = elements.get("SharedFunctionalGroupsSequence") or []
    group = _GROUPS.get(keyword)
    for place in (*own[frame : frame + 1], *shared[:1]):
        for item in (place.get(group) or [])[:1] if group else []:
            if keyword in item:
                return item.get(keyword)
    return elements.get(keyword)


def numbers(
    header: Header, frame: int, keyword: str, count: int
) -> Float64[np.ndarray, "value"] | None:
    """`count` finite numbers, or None where they are absent or anything else."""
    found = value(header, frame, keyword)
    try:
        values = np.atleast_1d(np.array([] if found is None else found, dtype=float))
    except (TypeError, ValueError):
        return None
    return values if values.shape == (count,) and np.isfinite(values).all() else None


def whole(header: Header, keyword: str) -> int | None:
    """One whole number that holds for the file, or None."""
    values = numbers(header, 0, keyword, 1)
    return None if values is None else int(values[0])
