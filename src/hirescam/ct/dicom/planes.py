"""Planes: the slices of a series, each with the numbers that place and scale it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from hirescam.ct.dicom.headers import Header
from hirescam.ct.dicom.values import frames, numbers, value, whole
from hirescam.ct.limits import announced_bytes
from hirescam.ct.refusal import refusing
from hirescam.errors import GeometryError, VoxelError

AGAIN = "export the series again as CT"


@dataclass(frozen=True, eq=False)
class Plane:
    """One slice: where it lies in LPS and how it is scaled; its pixels still in the file."""

    header: Header
    frame: int
    rows: int
    columns: int
    position_mm: Float64[np.ndarray, "3"]
    cosines: Float64[np.ndarray, "6"]  # where a row leads, then where a column leads
    spacing_mm: Float64[np.ndarray, "2"]
    slope: float
    intercept: float
    hu_assumed: bool  # because the file does not say so

    @property
    def order(self) -> tuple[float, float]:
        """Acquisition, then instance: which of two slices in one place came first."""
        own = numbers(self.header, self.frame, "FrameAcquisitionNumber", 1)
        acquired = own if own is not None else numbers(self.header, 0, "AcquisitionNumber", 1)
        instance = numbers(self.header, 0, "InstanceNumber", 1)
        last = float("inf")
        return (
            last if acquired is None else float(acquired[0]),
            last if instance is None else float(instance[0]),
        )

    @property
    def thickness_mm(self) -> float | None:
        """Its stated thickness, which says nothing of the distance to its neighbours."""
        found = numbers(self.header, self.frame, "SliceThickness", 1)
        return None if found is None else float(found[0])


# What one file must say: keyword, what its absence means, what is read, what else it is.
_CT_SLICE = (
    ("SamplesPerPixel", 1, (1,), "is a colour picture: give the CT series itself"),
    (
        "PhotometricInterpretation",
        "MONOCHROME2",
        ("MONOCHROME1", "MONOCHROME2"),
        "is a colour picture: give the CT series itself",
    ),
    (
        "BitsAllocated",
        16,
        (8, 16, 32),
        f"does not keep its values in whole bytes: {AGAIN}",
    ),
)
_HOUNSFIELD = ("HU", "HU_MOD")


def planes_of(headers: Sequence[Header], *, assume_hu: bool) -> list[Plane]:
    """Every slice that the files hold. What one must say and does not is an error."""
    planes = []
    for header in headers:
        with refusing(header.source.path):
            _check_kind(header)
            planes += [
                _plane(header, frame, assume_hu=assume_hu) for frame in range(frames(header))
            ]
    announced_bytes((len(planes), planes[0].rows, planes[0].columns), 2)
    return planes


def _check_kind(header: Header) -> None:
    for keyword, absent, wanted, otherwise in _CT_SLICE:
        if (header.elements.get(keyword) or absent) not in wanted:
            raise VoxelError(otherwise)
    announced = whole(header, "NumberOfFrames") or 1
    if announced != frames(header):
        raise GeometryError(
            f"holds {announced} frames and says of {frames(header)} where it lies, expected "
            f"all: export the series as enhanced CT, or one slice per file"
        )
    stored, highest = whole(header, "BitsStored"), whole(header, "HighBit")
    if stored is not None and highest is not None and highest != stored - 1:
        raise VoxelError(
            f"keeps its {stored} bits below bit {highest}, expected bit {stored - 1}: {AGAIN}"
        )
    if header.pixels_at is None:
        raise EOFError


def _plane(header: Header, frame: int, *, assume_hu: bool) -> Plane:
    rows, columns = whole(header, "Rows") or 0, whole(header, "Columns") or 0
    if rows < 1 or columns < 1:
        raise VoxelError(f"has no Rows or no Columns, expected both: {AGAIN}")
    slope, intercept, hu_assumed = _rescale(header, frame, assume_hu=assume_hu)
    return Plane(
        header,
        frame,
        rows,
        columns,
        position_mm=_needed(header, frame, "ImagePositionPatient", 3),
        cosines=_needed(header, frame, "ImageOrientationPatient", 6),
        spacing_mm=_needed(header, frame, "PixelSpacing", 2),
        slope=slope,
        intercept=intercept,
        hu_assumed=hu_assumed,
    )


def _needed(
    header: Header, frame: int, keyword: str, count: int
) -> Float64[np.ndarray, "value"]:
    found = numbers(header, frame, keyword, count)
    if found is None:
        raise GeometryError(f"has no {keyword} (expected {count} numbers): {AGAIN}")
    return found


def _rescale(header: Header, frame: int, *, assume_hu: bool) -> tuple[float, float, bool]:
    """Slope, intercept, and whether that they lead to HU is an assumption."""
    slope = numbers(header, frame, "RescaleSlope", 1)
    intercept = numbers(header, frame, "RescaleIntercept", 1)
    unit = value(header, frame, "RescaleType") or _HOUNSFIELD[0]
    flaws = {
        "no RescaleSlope": slope is None,
        "no RescaleIntercept": intercept is None,
        "another RescaleType than HU": unit not in _HOUNSFIELD,
    }
    found = [flaw for flaw, applies in flaws.items() if applies]
    if found and not assume_hu:
        raise VoxelError(
            f"has {' and '.join(found)}, so that its values may not be Hounsfield units: "
            f"{AGAIN}, or take them as HU (assume_hu=True, --assume-hu)"
        )
    if slope is None or intercept is None:
        return 1.0, 0.0, bool(found)
    if slope[0] == 0:
        raise VoxelError(f"has a RescaleSlope of 0: {AGAIN}")
    return float(slope[0]), float(intercept[0]), bool(found)
