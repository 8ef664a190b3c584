"""List the DICOM series of a folder, zip or file, and say which one is the scan, and why."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument

from hirescam.cli.options import JsonOption

if TYPE_CHECKING:
    from hirescam.ct.dicom.selection import Series


def run(
    path: Annotated[Path, Argument(help="folder with all folders within it, zip, or file")],
    as_json: JsonOption = False,
) -> None:
    """Read every header once and print two lines for each series."""
    from hirescam.ct.dicom.read import list_series

    found = list_series(path)
    lines = [_described(series) for series in found]
    print(json.dumps([*map(asdict, found)], indent=2) if as_json else "\n".join(lines))


def _described(series: "Series") -> str:
    size = " × ".join(map(str, (series.slices, *(series.size or ()))))
    spacing = " × ".join(f"{mm:.3g}" for mm in series.spacing_mm or ())
    return (
        f"{'scan' if series.chosen else '':<5}{series.kind:<10}{size:<18}"
        f"{f'{spacing} mm' if spacing else '':<24}{series.reason}\n"
        f"     {series.uid or 'no valid UID'}"
    )
