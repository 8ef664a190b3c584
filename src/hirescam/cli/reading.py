"""Options of every command that reads scans, worded once, and the reading they ask for."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from typer import Option

if TYPE_CHECKING:
    from hirescam.cohort.reading import Reading


class OnBadGeometry(StrEnum):
    """What becomes of missing, doubled, uneven, shifted or tilted slices."""

    error = "error"
    repair = "repair"


SeriesOption = Annotated[
    str | None,
    Option(help="UID of the DICOM series to read, as `hirescam series` lists them"),
]
AnyValuesOption = Annotated[
    bool, Option("--any-values", help="take values that no CT of a person has, too")
]


@dataclass(frozen=True)
class Leniency:
    """What is repaired or taken for granted in a scan, and how much it is trusted."""

    on_bad_geometry: Annotated[
        OnBadGeometry,
        Option(help="refuse irregular slices, or resample them and put that on record"),
    ] = OnBadGeometry.error
    assume_hu: Annotated[
        bool,
        Option("--assume-hu", help="take DICOM values that state no unit for Hounsfield units"),
    ] = False
    sandbox: Annotated[
        bool, Option("--sandbox", help="decode in a process with limits of time and memory")
    ] = False


def reading(leniency: Leniency, *, any_values: bool) -> "Reading":
    """How scans are read under these options."""
    from hirescam.cohort.reading import Reading

    return Reading(
        leniency.on_bad_geometry.value, leniency.assume_hu, leniency.sandbox, any_values
    )
