"""Options of the commands that read scans, and the reading that they ask for."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

if TYPE_CHECKING:
    from hirescam.ct.volume import Volume


class OnBadGeometry(StrEnum):
    """What to do about slices that lie on no even, right-angled grid."""

    error = "error"
    repair = "repair"


Series = Annotated[
    str | None, Option(help="UID of the DICOM series to read; `hirescam series` lists them")
]
BadGeometry = Annotated[
    OnBadGeometry,
    Option(help="refuse tilted, uneven, missing or doubled slices, or resample and say so"),
]
AssumeHu = Annotated[
    bool, Option("--assume-hu", help="take DICOM values without a rescale for HU")
]
Sandbox = Annotated[
    bool,
    Option("--sandbox", help="decode in a process of limited time and memory"),
]


def read(
    scan: Path,
    *,
    series: str | None,
    on_bad_geometry: OnBadGeometry,
    assume_hu: bool,
    sandbox: bool,
) -> "Volume":
    """The scan, read as the options say."""
    from hirescam.ct.files import read_volume
    from hirescam.ct.sandbox import read_volume_sandboxed

    reader = read_volume_sandboxed if sandbox else read_volume
    return reader(
        scan, series=series, on_bad_geometry=on_bad_geometry.value, assume_hu=assume_hu
    )
