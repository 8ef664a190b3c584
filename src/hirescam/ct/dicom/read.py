"""Read: from a path to the volume of one series, step by step."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Literal

import numpy as np

from hirescam.ct.dicom.geometry import (
    AGAIN,
    SAME_PLACE_MM,
    Plane,
    one_each,
    planes_of,
    regular,
    resampled,
    stacked,
)
from hirescam.ct.dicom.headers import (
    Header,
    Scan,
    frames,
    numbers,
    scan_headers,
    silence_pydicom,
    whole,
)
from hirescam.ct.dicom.passes import one_pass
from hirescam.ct.dicom.pixels import check_decoders, decoded
from hirescam.ct.dicom.selection import (
    DERIVED,
    LOCALIZER,
    NO_CT,
    Choice,
    Group,
    Series,
    choose,
    grouped,
    listed,
    the_scan,
)
from hirescam.ct.dicom.sources import Source, opened
from hirescam.ct.formats import SCAN_SUFFIXES
from hirescam.ct.validation import Repairs, as_read_error
from hirescam.ct.volume import Volume
from hirescam.errors import GeometryError, ReadError, VoxelError

# --- Doubts: files and headers that may not mean what they seem to

_HEADER_BYTES = 1 << 16
_DIGITS = re.compile(r"[0-9]{1,18}")
_PLACE = (("ImageOrientationPatient", 6), ("ImagePositionPatient", 3), ("PixelSpacing", 2))
_ALIKE, _BESIDE_MM, _ON_GRID = 1e-3, 0.1, 0.1  # of cosines and mm; mm; of a gap


def check_files(scan: Scan, repairs: Repairs) -> None:
    """Refuse a folder without DICOM; put files of other kinds, passed over, on record."""
    if not scan.headers and scan.broken:
        raise scan.broken[0][1]
    if not scan.headers:
        raise ReadError(_no_dicom(scan))
    if scan.strangers:
        repairs.made.append(
            f"{len(scan.strangers)} files that are no DICOM were passed over: {scan.kinds}"
        )


def _no_dicom(scan: Scan) -> str:
    names = [source.path.name for source in scan.strangers]
    scans = [name for name in names if name.lower().endswith(SCAN_SUFFIXES)]
    holds = f"holds {len(names) + len(scan.blank)} files, none of them DICOM"
    if len(scans) == 1:
        return f"{holds}, and one scan in another format: give that file, {scans[0]}"
    if scans:
        return (
            f"{holds}, and {len(scans)} scans in other formats: give one of those files, such "
            f"as {scans[0]}"
        )
    return f"{holds}: give the folder that holds the DICOM series"


def check_broken(scan: Scan, chosen: Group, repairs: Repairs) -> None:
    """Files that cannot be read: refused if they must be slices of the scan, else on record."""
    slices = _Slices(chosen)
    blank = [source for source in scan.blank if slices.named_like(source)]
    if len(blank) < len(scan.blank):
        repairs.made.append(
            f"{len(scan.blank) - len(blank)} files that are blank were passed over"
        )
    if blank:
        repairs.make(
            f"{len(blank)} blank files were passed over; slices that they were are missing",
            instead_of=ReadError(
                f"{len(blank)} files are blank and may be slices that were lost, expected "
                f"DICOM: fetch them again, move them out of the folder"
            ),
        )
    lost = [each for each in scan.broken if slices.named_like(each[0]) or slices.hold(each[0])]
    if len(lost) < len(scan.broken):
        repairs.made.append(
            f"{len(scan.broken) - len(lost)} DICOM files that cannot be read were passed over: "
            f"nothing in them says that they belong to the series"
        )
    if lost:
        repairs.make(
            f"{len(lost)} DICOM files that cannot be read were passed over; slices that they "
            f"were are missing",
            instead_of=ReadError(
                f"{lost[0][1]}: {len(lost)} such DICOM files may be slices, move them out of "
                f"the folder"
            ),
        )


class _Slices:
    """What the files of a series look like: their names, and their UID."""

    def __init__(self, chosen: Group) -> None:
        uid = re.escape(chosen.uid.encode("ascii", "ignore"))
        self.uid = re.compile(rb"\x20\0\x0e\0.{4}" + uid + rb"[^0-9.]", re.DOTALL)
        self.numbered: dict[tuple[PurePath, str], list[int]] = {}
        for header in chosen.headers:
            where, number = _numbered(header.source.path)
            self.numbered.setdefault(where, []).append(number)

    def named_like(self, source: Source) -> bool:
        """Whether a name is that of a slice but for its number, which lies next to theirs."""
        where, number = _numbered(source.path)
        beside = self.numbered.get(where)
        return beside is not None and min(beside) - 2 <= number <= max(beside) + 2

    def hold(self, source: Source) -> bool:
        """Whether the beginning of a file states the UID of the series."""
        with suppress(Exception), source.open() as stream:
            return bool(self.uid.search(stream.read(_HEADER_BYTES)))
        return False


def _numbered(path: PurePath) -> tuple[tuple[PurePath, str], int]:
    """A name without its last number, and that number."""
    found = [*_DIGITS.finditer(path.name)]
    if not found:
        return (path.parent, path.name), 0
    begin, end = found[-1].span()
    return (path.parent, f"{path.name[:begin]}#{path.name[end:]}"), int(found[-1][0])


def check_left_out(choice: Choice, repairs: Repairs, *, named: bool) -> None:
    """Images beside the scan that may be slices of it: refused, or put on record.

    Images of the chosen series are refused if they are CT of another kind, others of any series
    only where the scan has a place free for them. A series that was `named` is what is wanted.
    """
    chosen = the_scan(choice)
    others = [group for group, _ in choice.reasons if group is not chosen]
    mine = [group for group in others if group.uid == chosen.uid]
    if chosen.kind == DERIVED:
        repairs.made.append("its series is marked as DERIVED, and there is no original one")
    grid = _Grid(chosen) if others else None
    left_out, apart = 0, 0
    for group in mine:
        if group.kind in (NO_CT, LOCALIZER):
            free = grid.places_for(group) if grid else 0
            left_out += free
            apart += group.slices - free
        else:
            left_out += group.slices
    if apart:
        repairs.made.append(
            f"{apart} images of the series that are no slices of it were passed over"
        )
    if left_out:
        total = left_out + chosen.slices
        repairs.make(
            f"{left_out} of {total} images of the series are of another kind and were left out",
            instead_of=GeometryError(
                f"{left_out} of {total} images of the series are of another kind than the "
                f"others: leave only the slices of one scan"
            ),
        )
    foreign = [group for group in others if group.uid != chosen.uid]
    going_on = [grid.places_for(group) for group in foreign] if grid else []
    if sum(going_on):
        said = (
            f"{sum(going_on)} images of {sum(map(bool, going_on))} other series continue the "
            f"grid of the {chosen.slices} slices of the scan"
        )
        if named:
            repairs.made.append(f"{said}: the series that was named was read without them")
            return
        repairs.make(
            f"{said}: they were left out",
            instead_of=GeometryError(
                f"{said}, as slices under another SeriesInstanceUID do: give all of them one "
                f"UID, name the series to read it without them (series=…, --series …)"
            ),
        )


class _Grid:
    """Where the slices of a series lie, to tell which images fit into it or go on with it."""

    def __init__(self, chosen: Group) -> None:
        self.first = chosen.headers[0]
        self.place = _place(self.first, 0)
        self.study = chosen.study
        self.step_mm, self.depths_mm = 0.0, np.zeros(0)
        if self.place is None:
            return
        places = [
            _place(header, frame)
            for header in chosen.headers
            for frame in range(frames(header))
        ]
        normal = np.cross(self.place[0][:3], self.place[0][3:])
        self.depths_mm = np.sort([normal @ found[1] for found in places if found is not None])
        if len(self.depths_mm) > 1:
            self.step_mm = float(np.median(np.diff(self.depths_mm)))

    def places_for(self, group: Group) -> int:
        """How many images of a group lie in places of the grid that are free and adjacent.

        0 where some lie at the same places as slices: then they are a scan of their own.
        """
        if self.place is None or self.step_mm < SAME_PLACE_MM or group.study != self.study:
            return 0
        found = [
            depth
            for header in group.headers
            for frame in range(frames(header))
            if (depth := self._depth(header, frame)) is not None
        ]
        steps = (np.array(found) - self.depths_mm[0]) / self.step_mm
        steps = np.rint(steps[np.abs(steps - np.rint(steps)) < _ON_GRID]).astype(int)
        taken = {*np.rint((self.depths_mm - self.depths_mm[0]) / self.step_mm).astype(int)}
        free = {*steps.tolist()} - taken
        if len(free) < len({*steps.tolist()}):
            return 0
        low, high = min(taken), max(taken)
        while low - 1 in free:
            low -= 1
        while high + 1 in free:
            high += 1
        return int(((low <= steps) & (steps <= high)).sum())

    def _depth(self, header: Header, frame: int) -> float | None:
        """Depth of an image that has the size, directions and axis of the slices; else None."""
        assert self.place is not None
        found = _place(header, frame)
        if found is None or any(
            whole(header, name) != whole(self.first, name) for name in ("Rows", "Columns")
        ):
            return None
        cosines, position_mm, pixel_mm = self.place
        beside_mm = cosines.reshape(2, 3) @ (found[1] - position_mm)
        alike = (
            np.abs(found[0] - cosines).max() < _ALIKE
            and np.abs(found[2] - pixel_mm).max() < _ALIKE
            and np.abs(beside_mm).max() < _BESIDE_MM
        )
        normal = np.cross(cosines[:3], cosines[3:])
        return float(normal @ found[1]) if alike else None


def _place(header: Header, frame: int) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Directions, position and pixel spacing of an image, if it states all three."""
    found = [numbers(header, frame, name, count) for name, count in _PLACE]
    stated = [each for each in found if each is not None]
    if len(stated) < len(_PLACE):
        return None
    cosines, position_mm, pixel_mm = stated
    return cosines, position_mm, pixel_mm


def check_inverted(planes: Sequence[Plane], repairs: Repairs) -> None:
    """MONOCHROME1 should change the display alone, but writers differ."""
    inverted = sum(
        plane.header.elements.get("PhotometricInterpretation") == "MONOCHROME1"
        for plane in planes
    )
    if inverted:
        repairs.make(
            f"{inverted} slices are displayed inverted (MONOCHROME1): their values were taken "
            f"as they stand, as DICOM says",
            instead_of=VoxelError(
                f"{inverted} of {len(planes)} slices store bright as low (MONOCHROME1), which "
                f"some writers also do to the values, expected MONOCHROME2: {AGAIN}"
            ),
        )


def record_assumed(planes: Sequence[Plane], repairs: Repairs) -> None:
    """Put on record that values were taken as HU; refuse if only some slices leave it open."""
    assumed = sum(plane.hu_assumed for plane in planes)
    if 0 < assumed < len(planes):
        raise VoxelError(
            f"{assumed} of {len(planes)} slices do not say that they are in Hounsfield units "
            f"and the others do, so that their units may differ: {AGAIN}"
        )
    if assumed:
        repairs.made.append(
            f"{assumed} slices do not say that they are in Hounsfield units: they were taken so"
        )


# --- Read: from a path to the volume of one series, step by step


def read_dicom(
    path: Path,
    *,
    series: str | None = None,
    acquisition: str | None = None,
    on_bad_geometry: Literal["error", "repair"] = "error",
    assume_hu: bool = False,
) -> Volume:
    """The scan in a folder with all folders within it, in a zip, or in one file.

    `series` is the UID of the one to take, else `choice.choose` takes it. Slices are ordered by
    where they lie, whatever their names and numbers say, and rescaled each by its own header.
    """
    repairs = Repairs(allowed=on_bad_geometry == "repair")
    with silence_pydicom(), opened(path) as sources:
        scan = scan_headers(sources)
        check_files(scan, repairs)
        choice = choose(grouped(scan.headers), series)
        check_broken(scan, the_scan(choice), repairs)
        check_left_out(choice, repairs, named=series is not None)
        planes = planes_of(the_scan(choice).headers, assume_hu=assume_hu)
        planes = one_pass(planes, acquisition)
        check_decoders(planes)
        check_inverted(planes, repairs)
        record_assumed(planes, repairs)
        stack = one_each(stacked(planes, repairs), repairs, lambda plane: decoded([plane])[0])
        how = regular(stack, repairs)
        volume = resampled(decoded(stack.planes, repairs), stack, how)
    return replace(volume, repairs=tuple(repairs.made))


def list_series(path: str | Path) -> list[Series]:
    """What a folder, zip or file holds, the scan first, and why each series is or is not it."""
    return survey(path)[0]


def survey(path: str | Path) -> tuple[list[Series], str]:
    """The series, as `list_series` gives them, and how many other files of which kinds.

    Files that begin as DICOM and cannot be read are listed as one; none ends the listing.
    """
    path = Path(path).absolute()
    with as_read_error(path), silence_pydicom(), opened(path) as sources:
        scan = scan_headers(sources)
        if not scan.headers and scan.broken:
            raise scan.broken[0][1]
        found = listed(choose(grouped(scan.headers)))
        if scan.broken:
            reason = "files begin as DICOM does and cannot be read"
            found.append(Series("", "BROKEN", len(scan.broken), None, None, False, reason))
    others = [
        f"{len(scan.strangers)} that are no DICOM ({scan.kinds})" * bool(scan.strangers),
        f"{len(scan.blank)} that are blank" * bool(scan.blank),
    ]
    return found, " and ".join(filter(None, others))
