"""Selection: which images of a folder belong together, and which series is the scan."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from hirescam.ct.dicom.headers import CT_CLASSES, Header, frames, numbers, whole
from hirescam.errors import GeometryError, ReadError

# --- Series: which images of a folder belong together, and what each series is

ORIGINAL, UNSTATED, DERIVED = "ORIGINAL", "UNSTATED", "DERIVED"
LOCALIZER, NO_CT = "LOCALIZER", "NO CT"

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
    for uid, kind in [*groups]:  # some slices of a series may have lost their ImageType
        if kind == UNSTATED and (uid, ORIGINAL) in groups:
            groups[uid, ORIGINAL] += groups.pop((uid, kind))
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
        str(elements.get("Modality") or "CT").strip().upper() == "CT"
        and str(elements.get("SOPClassUID") or "")
        in ("", *CT_CLASSES)  # some archives remove it
        and "Rows" in elements
    )
    if not is_ct:
        return NO_CT
    said = elements.get("ImageType") or ()  # a word, or several
    words = {word.strip().upper() for word in ([said] if isinstance(said, str) else said)}
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


# --- Choice: which series of a folder is the scan
# As RAD-ChestCT was prepared: of the original series, the one with the most slices (Draelos et
# al., Medical Image Analysis 67, 2021). Where that leaves two, or none, the caller names one.

# Up to so many are rarely a whole chest: read where nothing else is there, but no winner.
_FEW_SLICES = 30
_SET_ASIDE = {
    NO_CT: "holds no CT slices",
    LOCALIZER: "is a localizer",
    DERIVED: "was derived from another series",
    UNSTATED: "does not say that it is original, as another does",
}
_LIKELIEST = (ORIGINAL, UNSTATED, DERIVED, LOCALIZER)  # part of a series that was named
_MOST_SHOWN = 6  # numbers of slices that a message names
_LIST = "name one that `hirescam series` lists (series=…, --series …)"


@dataclass(frozen=True, eq=False)
class Choice:
    """What speaks for and against each group; the one that is the scan, or why none is."""

    reasons: Sequence[tuple[Group, str]]
    chosen: Group | ReadError


def choose(groups: Sequence[Group], series: str | None = None) -> Choice:
    """The original series with the most slices, or the one whose UID is `series`.

    `groups` come the largest first. Series that do not say what they are count as original
    where none does; derived ones and localizers are taken only by name.
    """
    return _only_original(groups) if series is None else _named(groups, series)


def the_scan(choice: Choice) -> Group:
    """The group that was chosen, or the error that none was."""
    if isinstance(choice.chosen, ReadError):
        raise choice.chosen
    return choice.chosen


def listed(choice: Choice) -> list[Series]:
    """Every series, the scan first, as lines that name no patient."""
    lines = [
        line(group, reason, chosen=group is choice.chosen) for group, reason in choice.reasons
    ]
    return sorted(lines, key=lambda one: not one.chosen)


def _only_original(groups: Sequence[Group]) -> Choice:
    kind = ORIGINAL if any(group.kind == ORIGINAL for group in groups) else UNSTATED
    rivals = [group for group in groups if group.kind == kind]
    counts = [group.slices for group in rivals]
    if not rivals:  # lossy compression and enhanced exports are marked so too
        rivals = [group for group in groups if group.kind == DERIVED]
        if len(rivals) == 1:
            why = {id(rivals[0]): "is derived, and the only series that could be the scan"}
            return Choice(_reasons(groups, why), rivals[0])
        return Choice(_reasons(groups, {}), _none(groups))
    studies = len({group.study for group in rivals})
    if studies > 1 or (len(rivals) > 1 and counts[0] <= max(_FEW_SLICES, counts[1])):
        why_not = {id(group): "is one of several that could be the scan" for group in rivals}
        return Choice(_reasons(groups, why_not), _several(counts, studies))
    best = "is the only series that could be the scan"
    if len(rivals) > 1:
        best = "is original and has the most slices"
    why = {id(group): "has fewer slices" for group in rivals} | {id(rivals[0]): best}
    return Choice(_reasons(groups, why), rivals[0])


def _named(groups: Sequence[Group], series: str) -> Choice:
    fitting = [group for group in groups if group.uid == series and group.kind in _LIKELIEST]
    chosen = min(fitting, key=lambda group: _LIKELIEST.index(group.kind), default=None)
    reasons = [
        (group, "was named" if group is chosen else "is not the one that was named")
        for group in groups
    ]
    if chosen is not None:
        return Choice(reasons, chosen)
    refusal = ReadError(f"holds {len(groups)} series, none of CT with the given UID: {_LIST}")
    return Choice(reasons, refusal)


def _reasons(groups: Sequence[Group], rivals: dict[int, str]) -> list[tuple[Group, str]]:
    return [(group, rivals.get(id(group)) or _SET_ASIDE[group.kind]) for group in groups]


def _several(counts: Sequence[int], studies: int) -> GeometryError:
    wanted = f"one of over {_FEW_SLICES} that has more than any other"
    if studies > 1:
        wanted = f"those of one study, not of {studies}"
    if counts[0] == 1 < len(counts) - 1:
        return GeometryError(
            f"holds {len(counts)} series of 1 slice each, expected {wanted}: a program gave "
            f"each slice a SeriesInstanceUID of its own; export the series again"
        )
    shown = [*map(str, counts[:_MOST_SHOWN])]
    if len(counts) > _MOST_SHOWN:
        shown[-1] = "fewer"
    return GeometryError(
        f"holds {len(counts)} series of {' and '.join(shown)} slices, expected {wanted}: "
        f"{_LIST}"
    )


def _none(groups: Sequence[Group]) -> ReadError:
    found = " and ".join(f"one that {_SET_ASIDE[group.kind]}" for group in groups[:3])
    return ReadError(f"holds {len(groups)} series, none an original CT ({found}): {_LIST}")
