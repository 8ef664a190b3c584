"""Source: the headers of the series that was explained, whose patient its objects belong to."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from jaxtyping import Float64
from pydicom import Dataset, dcmread
from pydicom.uid import generate_uid

from hirescam.ct.dicom.geometry import one_each, planes_of, stacked
from hirescam.ct.dicom.headers import Header, scan_headers, silence_pydicom
from hirescam.ct.dicom.passes import one_pass
from hirescam.ct.dicom.pixels import decoded
from hirescam.ct.dicom.selection import choose, grouped, the_scan
from hirescam.ct.dicom.sources import opened
from hirescam.ct.validation import Repairs, as_read_error
from hirescam.ct.volume import Volume
from hirescam.errors import MissingPackageError, WriteError

_NEEDED = """
    PatientID PatientName PatientBirthDate PatientSex AccessionNumber StudyID StudyDate
    StudyTime ReferringPhysicianName
"""
_SAME_PLACE_MM = 0.01


@dataclass(frozen=True, eq=False)
class SourceSeries:
    """Headers of a CT series, patient and all, in the order of the scan's slices.

    A file of many frames is one header. `first_mm` and `last_mm` are where the first and the
    last slice begin, in LPS; `slices` counts them.
    """

    images: Sequence[Dataset]
    slices: int
    first_mm: Float64[np.ndarray, "3"]
    last_mm: Float64[np.ndarray, "3"]

    @property
    def frame_of_reference(self) -> str:
        return str(self.images[0].FrameOfReferenceUID)


def read_source(
    path: str | Path, *, series: str | None = None, acquisition: str | None = None
) -> SourceSeries:
    """The series that `read_volume` takes from the same path with the same options.

    What its files do not say and every DICOM object must is left empty, as the standard has it.
    Raises `WriteError` for a scan that is no DICOM series, `ReadError` for a damaged one,
    `MissingPackageError` where highdicom is not installed.
    """
    if find_spec("highdicom") is None:
        raise MissingPackageError(
            "writing DICOM needs highdicom: pip install 'hirescam[dicom]'"
        )
    path = Path(path).absolute()
    with as_read_error(path), silence_pydicom(), opened(path) as sources:
        headers = scan_headers(sources).headers
        if not headers:
            raise WriteError(
                f"{path.name} is no DICOM series, so there is no patient and no study to file "
                f"DICOM objects under: give the folder of the series, or do without them"
            )
        chosen = the_scan(choose(grouped(headers), series))
        repairs = Repairs(allowed=True)
        stack = one_each(
            stacked(one_pass(planes_of(chosen.headers, assume_hu=True), acquisition), repairs),
            repairs,
            lambda plane: decoded([plane])[0],
        )
        if not chosen.study:
            raise WriteError(
                f"{path.name} does not say which study it belongs to, and DICOM objects must: "
                f"export the series again with its StudyInstanceUID, or do without them"
            )
        files = dict.fromkeys(plane.header for plane in stack.planes)
        images = [_complete(_read(header)) for header in files]
    return SourceSeries(
        images,
        slices=len(stack.planes),
        first_mm=stack.planes[0].position_mm,
        last_mm=stack.planes[-1].position_mm,
    )


def check_is_source(source: SourceSeries, scan: Volume) -> None:
    """Refuse a series that is not where the scan is; one that was repaired may have moved."""
    if scan.repairs:
        return
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ scan.affine
    last = lps @ [len(scan.voxels) - 1, 0, 0, 1]
    off_mm = max(
        np.abs(lps[:3, 3] - source.first_mm).max(), np.abs(last[:3] - source.last_mm).max()
    )
    if source.slices != len(scan.voxels) or off_mm > _SAME_PLACE_MM:
        raise WriteError(
            f"the series has {source.slices} slices, the scan that was explained "
            f"{len(scan.voxels)}, or lies {off_mm:.1f} mm elsewhere: give the series that was "
            f"explained"
        )


def _read(header: Header) -> Dataset:
    with header.source.open() as stream:
        return dcmread(stream, stop_before_pixels=True)


def _complete(image: Dataset) -> Dataset:
    for keyword in _NEEDED.split():
        if keyword not in image:
            setattr(image, keyword, "")
    if "FrameOfReferenceUID" not in image:  # the same one for all slices of the series
        image.FrameOfReferenceUID = generate_uid(entropy_srcs=[str(image.SeriesInstanceUID)])
    return image
