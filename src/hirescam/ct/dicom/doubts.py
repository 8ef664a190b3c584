"""Doubts: files and headers that may not mean what they seem to."""

from collections.abc import Sequence

from hirescam.ct.dicom.choice import Choice, the_scan
from hirescam.ct.dicom.headers import Scan
from hirescam.ct.dicom.planes import AGAIN, Plane
from hirescam.ct.dicom.repairs import Repairs
from hirescam.ct.dicom.series import LOCALIZER
from hirescam.errors import GeometryError, ReadError, VoxelError


def check_files(scan: Scan, repairs: Repairs) -> None:
    """Blank files may be slices that were lost; files of other kinds are passed over."""
    if not scan.headers:
        raise ReadError(
            f"holds {scan.strangers + scan.blank} files, none of them DICOM: give the folder "
            f"that holds the DICOM series"
        )
    if scan.blank:
        repairs.make(
            f"{scan.blank} blank files were passed over; slices that they were are missing",
            instead_of=ReadError(
                f"{scan.blank} files are blank and may be slices that were lost, expected "
                f"DICOM: fetch them again, move them out of the folder"
            ),
        )


def check_left_out(choice: Choice, repairs: Repairs) -> None:
    """Files of the chosen series that are no slices of it may have been; localizers are not."""
    chosen = the_scan(choice)
    left_out = sum(
        group.slices
        for group, _ in choice.reasons
        if group is not chosen and group.uid == chosen.uid and group.kind != LOCALIZER
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
