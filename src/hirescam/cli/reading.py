"""Options of every command that reads a scan, worded once, and the reading they ask for."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

if TYPE_CHECKING:
    from hirescam.ct.volume import Volume


class OnBadGeometry(StrEnum):
    """What becomes of missing, doubled, uneven, shifted or tilted slices."""

    error = "error"
    repair = "repair"


SeriesOption = Annotated[
    str | None,
    Option(help="UID of the DICOM series to read, as `hirescam series` lists them"),
]
OnBadGeometryOption = Annotated[
    OnBadGeometry,
    Option(help="refuse irregular slices, or resample them and put that on record"),
]
AssumeHuOption = Annotated[
    bool,
    Option("--assume-hu", help="take DICOM values that state no unit for Hounsfield units"),
]
SandboxOption = Annotated[
    bool, Option("--sandbox", help="decode in a process with limits of time and memory")
]


def read(
    scan: Path,
    *,
    series: str | None = None,
    on_bad_geometry: OnBadGeometry = OnBadGeometry.error,
    assume_hu: bool = False,
    sandbox: bool = False,
) -> "Volume":
    """The scan, read as the options say."""
    from hirescam.ct.files import read_volume
    from hirescam.ct.sandbox import read_volume_sandboxed

    reader = read_volume_sandboxed if sandbox else read_volume
    return reader(
        scan, series=series, on_bad_geometry=on_bad_geometry.value, assume_hu=assume_hu
    )
