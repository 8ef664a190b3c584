"""Read: from a path to the volume of one series, step by step."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from hirescam.ct.dicom.geometry import (
    AGAIN,
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
from hirescam.ct.dicom.sources import opened
from hirescam.ct.validation import Repairs, as_read_error
from hirescam.ct.volume import Volume
from hirescam.errors import GeometryError, ReadError, VoxelError

# --- Doubts: files and headers that may not mean what they seem to


def check_files(scan: Scan, repairs: Repairs) -> None:
    """Blank files may be slices that were lost; files of other kinds are passed over."""
    if not scan.headers and scan.broken:
        raise scan.broken[0]
    if not scan.headers:
        raise ReadError(
            f"holds {scan.strangers + scan.blank} files, none of them DICOM: give the folder "
            f"that holds the DICOM series"
        )
    if scan.kinds:
        repairs.made.append(
            f"{scan.strangers} files that are no DICOM were passed over: {scan.kinds}"
        )
    if scan.blank:
        repairs.make(
            f"{scan.blank} blank files were passed over; slices that they were are missing",
            instead_of=ReadError(
                f"{scan.blank} files are blank and may be slices that were lost, expected "
                f"DICOM: fetch them again, move them out of the folder"
            ),
        )


def check_broken(scan: Scan, choice: Choice, repairs: Repairs) -> None:
    """Refuse files that could not be read and may be slices of the scan."""
    if scan.broken:
        repairs.make(
            f"{len(scan.broken)} DICOM files that cannot be read were passed over",
            instead_of=ReadError(
                f"{scan.broken[0]}: {len(scan.broken)} such DICOM files may be slices, move "
                f"them out of the folder"
            ),
        )


def check_left_out(choice: Choice, repairs: Repairs) -> None:
    """Files of the chosen series that are no slices of it may have been; localizers are not."""
    chosen = the_scan(choice)
    left_out = sum(
        group.slices
        for group, _ in choice.reasons
        if group is not chosen and group.uid == chosen.uid and _may_be_slices(group, chosen)
    )
    if chosen.kind == DERIVED:
        repairs.made.append("its series is marked as DERIVED, and there is no original one")
    if left_out:
        total = left_out + chosen.slices
        repairs.make(
            f"{left_out} of {total} images of the series are of another kind and were left out",
            instead_of=GeometryError(
                f"{left_out} of {total} images of the series are of another kind than the "
                f"others: leave only the slices of one scan"
            ),
        )


def _may_be_slices(group: Group, chosen: Group) -> bool:
    """Whether images left out look like slices of the scan: localizers only if they fit it."""
    if group.kind == NO_CT:
        return any("Rows" in header.elements for header in group.headers)
    return group.kind != LOCALIZER or _continues(group, chosen)


def _place(header: Header) -> tuple[np.ndarray, np.ndarray] | None:
    """Direction and position of an image, if it states both."""
    cosines = numbers(header, 0, "ImageOrientationPatient", 6)
    position_mm = numbers(header, 0, "ImagePositionPatient", 3)
    return None if cosines is None or position_mm is None else (cosines, position_mm)


def _continues(group: Group, chosen: Group) -> bool:
    """Whether an image has the size and direction of the slices, and lies on their axis."""
    first = chosen.headers[0]
    wanted = _place(first)
    if wanted is None:
        return False
    for header in group.headers:
        found = _place(header)
        size = [whole(header, name) == whole(first, name) for name in ("Rows", "Columns")]
        if not all(size) or found is None:
            continue
        if not np.allclose(found[0], wanted[0], atol=1e-3):
            continue
        cosines = wanted[0].reshape(2, 3)
        beside_mm = cosines @ (found[1] - wanted[1])
        if np.abs(beside_mm).max() < 0.1:
            return True
    return False


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
        check_broken(scan, choice, repairs)
        check_left_out(choice, repairs)
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
    path = Path(path).absolute()
    with as_read_error(path), silence_pydicom(), opened(path) as sources:
        scan = scan_headers(sources)
        if not scan.headers and scan.broken:
            raise scan.broken[0]
        found = listed(choose(grouped(scan.headers)))
        if scan.broken:
            reason = "files begin as DICOM does and cannot be read"
            found.append(Series("", "BROKEN", len(scan.broken), None, None, False, reason))
        return found
