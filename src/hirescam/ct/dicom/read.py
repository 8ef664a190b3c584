"""Read: from a path to the volume of one series, step by step."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from hirescam.ct.dicom.choice import choose, listed, the_scan
from hirescam.ct.dicom.doubled import one_each
from hirescam.ct.dicom.doubts import check_files, check_inverted, check_left_out, record_assumed
from hirescam.ct.dicom.headers import scan_headers
from hirescam.ct.dicom.padding import check_padding
from hirescam.ct.dicom.pixels import check_decoders, decoded
from hirescam.ct.dicom.planes import planes_of
from hirescam.ct.dicom.quiet import quiet
from hirescam.ct.dicom.regular import regular
from hirescam.ct.dicom.repairs import Repairs
from hirescam.ct.dicom.resample import resampled
from hirescam.ct.dicom.series import Series, grouped
from hirescam.ct.dicom.sources import opened
from hirescam.ct.dicom.stack import stacked
from hirescam.ct.refusal import refusing
from hirescam.ct.volume import Volume


def read_dicom(
    path: Path,
    *,
    series: str | None = None,
    on_bad_geometry: Literal["error", "repair"] = "error",
    assume_hu: bool = False,
) -> Volume:
    """The scan in a folder with all folders within it, in a zip, or in one file.

    `series` is the UID of the one to take, else `choice.choose` takes it. Slices are ordered by
    where they lie, whatever their names and numbers say, and rescaled each by its own header.
    """
    repairs = Repairs(allowed=on_bad_geometry == "repair")
    with quiet(), opened(path) as sources:
        scan = scan_headers(sources)
        check_files(scan, repairs)
        choice = choose(grouped(scan.headers), series)
        check_left_out(choice, repairs)
        planes = planes_of(the_scan(choice).headers, assume_hu=assume_hu)
        check_decoders(planes)
        check_inverted(planes, repairs)
        record_assumed(planes, repairs)
        stack = one_each(stacked(planes, repairs), repairs, lambda plane: decoded([plane])[0])
        check_padding(stack.planes, repairs)
        how = regular(stack, repairs)
        volume = resampled(decoded(stack.planes), stack, how)
    return replace(volume, repairs=tuple(repairs.made))


def list_series(path: str | Path) -> list[Series]:
    """What a folder, zip or file holds, the scan first, and why each series is or is not it."""
    path = Path(path).absolute()
    with refusing(path), quiet(), opened(path) as sources:
        return listed(choose(grouped(scan_headers(sources).headers)))
