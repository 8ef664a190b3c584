"""Options that several commands share, worded once, and what they ask for.

Typer takes an option from each parameter of a function; what travels together is declared once,
as the fields of a dataclass, and `spread` turns it into options of a command.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, is_dataclass
from enum import StrEnum
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from hirescam.errors import ReadError

if TYPE_CHECKING:
    from hirescam.cohort.steps import Reading
    from hirescam.ct.volume import Volume
    from hirescam.organs.masks import OrganMasks


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """The command as Typer is to see it: parameters that are dataclasses give way to fields."""
    parameters = signature(command, eval_str=True).parameters
    groups = {name: each.annotation for name, each in parameters.items() if _is_group(each)}

    @wraps(command)
    def flat(**given: Any) -> None:
        grouped = {
            name: group(**{field: given.pop(field) for field in signature(group).parameters})
            for name, group in groups.items()
        }
        command(**given, **grouped)

    # what inspect.signature, and so Typer, looks at first
    flat.__signature__ = Signature([*_flattened(parameters.values())])  # type: ignore[attr-defined]
    return flat


def _flattened(parameters: Any) -> Iterator[Parameter]:
    for each in parameters:
        fields = signature(each.annotation).parameters.values() if _is_group(each) else (each,)
        yield from (field.replace(kind=Parameter.KEYWORD_ONLY) for field in fields)


def _is_group(parameter: Parameter) -> bool:
    return isinstance(parameter.annotation, type) and is_dataclass(parameter.annotation)


JsonOption = Annotated[bool, Option("--json", help="print the result as JSON")]
JobsOption = Annotated[int, Option("--jobs", "-j", help="processes", min=1)]
TrustOption = Annotated[
    bool, Option("--trust", help="run the code that a model file names to build its network")
]
OverwriteOption = Annotated[bool, Option("--overwrite", help="replace an existing folder")]
SetOption = Annotated[
    list[str] | None,
    Option("--set", help="change a key of the recipe: KEY=VALUE (repeatable)"),
]


class OnBadGeometry(StrEnum):
    """What becomes of missing, doubled, uneven, shifted or tilted slices."""

    error = "error"
    repair = "repair"


class NiftiForm(StrEnum):
    """Which of both places of a NIfTI image counts."""

    sform = "sform"
    qform = "qform"


SeriesOption = Annotated[
    str | None,
    Option(help="UID of the DICOM series to read, as `hirescam series` lists them"),
]
AnyValuesOption = Annotated[
    bool, Option("--any-values", help="take values that no CT of a person has, too")
]


@dataclass(frozen=True)
class ReadOptions:
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
    acquisition: Annotated[
        str | None,
        Option(help="which DICOM acquisition to read where several overlap in depth"),
    ] = None
    prefer_form: Annotated[
        NiftiForm | None, Option(help="which NIfTI form is right where the two differ")
    ] = None


def reading(read_options: ReadOptions, *, any_values: bool) -> "Reading":
    """How scans are read under these options."""
    from hirescam.cohort.steps import Reading

    return Reading(
        read_options.on_bad_geometry.value,
        read_options.assume_hu,
        read_options.sandbox,
        any_values,
        acquisition=read_options.acquisition,
        prefer_form=read_options.prefer_form.value if read_options.prefer_form else None,
    )


def check_masks(asked: str) -> None:
    """Raise `ReadError`, before any work, where `organs_of` would find no file of masks."""
    if asked not in ("auto", "none") and not Path(asked).is_file():
        raise ReadError(
            f"{asked}: there is no such file of masks: give one that `hirescam segment` wrote, "
            f"auto or none"
        )


def organs_of(volume: "Volume", asked: str) -> "OrganMasks | None":
    """Masks on the scan's grid; a file is one that `hirescam segment` wrote."""
    if asked == "none":
        return None
    if asked == "auto":
        from hirescam.organs.segment import segment_organs

        return segment_organs(volume)
    from hirescam.organs.files import read_organs

    check_masks(asked)
    return read_organs(asked)
