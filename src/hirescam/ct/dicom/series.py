"""Series: which images of a folder belong together, and what each series is."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from hirescam.ct.dicom.headers import Header
from hirescam.ct.dicom.values import frames, numbers, whole

ORIGINAL, UNSTATED, DERIVED = "ORIGINAL", "UNSTATED", "DERIVED"
LOCALIZER, NO_CT = "LOCALIZER", "NO CT"

_CT_CLASSES = (
    "",  # some archives remove it; the modality then decides
    "1.2.840.10008.5.1.4.1.1.2",  # CT
    "1.2.840.10008.5.1.4.1.1.2.1",  # enhanced CT
    "1.2.840.10008.5.1.4.1.1.2.2",  # legacy converted enhanced CT
)
_KINDS = {  # a word of ImageType, and the kind that it tells; the first match wins
    LOCALIZER: LOCALIZER,
    ORIGINAL: ORIGINAL,
    DERIVED: DERIVED,
    "SECONDARY": DERIVED,
    "REFORMATTED": DERIVED,
}
_UID = re.compile(r"[0-9.]{1,64}")


@dataclass(frozen=True)
class Series:
    """One series of a folder, and why it is, or is not, the scan. Names no patient."""

    uid: str
    kind: str
    slices: int
    size: tuple[int, int] | None  # rows, columns
    spacing_mm: tuple[float, float, float] | None  # slice, row, column
    chosen: bool
    reason: str


@dataclass(frozen=True, eq=False)
class Group:
    """The files of one series that are of one kind."""

    uid: str
    kind: str
    headers: Sequence[Header]

    @property
    def study(self) -> str:
        """The UID of the study that it belongs to; empty where that is not stated."""
        return str(self.headers[0].elements.get("StudyInstanceUID") or "")

    @property
    def slices(self) -> int:
        """How many there are, in however many files."""
        return sum(frames(header) for header in self.headers)


def grouped(headers: Iterable[Header]) -> list[Group]:
    """One group for each series and kind; the largest first, then by UID."""
    groups = defaultdict(list)
    for header in headers:
        groups[str(header.elements.get("SeriesInstanceUID") or ""), _kind(header)].append(
            header
        )
    found = [Group(uid, kind, members) for (uid, kind), members in groups.items()]
    return sorted(found, key=lambda group: (-group.slices, group.uid, group.kind))


def line(group: Group, reason: str, *, chosen: bool) -> Series:
    """The group as it is listed; a UID that is none, and so may say anything, is left out."""
    first = group.headers[0]
    return Series(
        uid=group.uid if _UID.fullmatch(group.uid) else "",
        kind=group.kind,
        slices=group.slices,
        size=_size(first),
        spacing_mm=_spacing_mm(group),
        chosen=chosen,
        reason=reason,
    )


def _kind(header: Header) -> str:
    elements = header.elements
    is_ct = (
        (elements.get("Modality") or "CT") == "CT"
        and str(elements.get("SOPClassUID") or "") in _CT_CLASSES
        and "Rows" in elements
    )
    if not is_ct:
        return NO_CT
    said = elements.get("ImageType") or ()
    words = {said} if isinstance(said, str) else set(said)
    return next((kind for word, kind in _KINDS.items() if word in words), UNSTATED)


def _size(header: Header) -> tuple[int, int] | None:
    rows, columns = whole(header, "Rows"), whole(header, "Columns")
    return None if rows is None or columns is None else (rows, columns)


def _spacing_mm(group: Group) -> tuple[float, float, float] | None:
    first = group.headers[0]
    pixel_mm = numbers(first, 0, "PixelSpacing", 2)
    cosines = numbers(first, 0, "ImageOrientationPatient", 6)
    places = [
        numbers(header, frame, "ImagePositionPatient", 3)
        for header in group.headers
        for frame in range(frames(header))
    ]
    positions_mm = [place for place in places if place is not None]
    if pixel_mm is None or cosines is None or len(positions_mm) < 2:
        return None
    depths_mm = np.sort(np.stack(positions_mm) @ np.cross(cosines[:3], cosines[3:]))
    slice_mm, row_mm, column_mm = (
        round(float(mm), 6) for mm in (np.median(np.diff(depths_mm)), *pixel_mm)
    )
    return slice_mm, row_mm, column_mm
