"""Compare two files of labels: manual ones and ours, or those of two vocabulary versions."""

import json
from dataclasses import asdict
from enum import StrEnum
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from hirescam.cli.options import JsonOption

if TYPE_CHECKING:
    from hirescam.reports.agreement import Agreement, Interval


class Uncertain(StrEnum):
    """How uncertain labels count."""

    present = "present"
    absent = "absent"


def run(
    first: Annotated[Path, Argument(help="labels, the manual ones where there are any")],
    second: Annotated[Path, Argument(help="labels to compare with them")],
    view: Annotated[
        str | None,
        Option(help="read rows of findings as the labels of this view: ct_rate, 80 …"),
    ] = None,
    places: Annotated[
        bool, Option("--places", help="compare each abnormality at each location")
    ] = False,
    uncertain: Annotated[Uncertain, Option(help="how uncertain counts")] = Uncertain.present,
    least: Annotated[
        int, Option(help="macro is over labels that the first gives this often", min=1)
    ] = 10,
    differences: Annotated[
        Path | None,
        Option(help="also write every report and label on which they differ, as CSV"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print label by label how two files agree."""
    from hirescam.reports.agreement import compare_files, write_differences

    found = compare_files(
        first, second, view=view, places=places, uncertain=uncertain.value, least=least
    )
    if differences is not None:
        write_differences(found, differences)
    print(json.dumps(asdict(found)) if as_json else described(found))


def described(found: "Agreement") -> str:
    """The comparison as lines of text."""
    each = [
        f"{row.label:<36} {row.both:6d} {row.only_first:6d} {row.only_second:6d}  "
        f"{_with_range(row.f_score)}  {row.kappa:5.3f}"
        for row in found.labels
        if row.both or row.only_first or row.only_second
    ]
    first, second = found.made_by
    return "\n".join(
        [
            f"first: {first}; second: {second}; {found.reports} reports",
            f"{'label':<36} {'both':>6} {'first':>6} {'second':>6}  {'F (95 %)':<19}  kappa",
            *each,
            f"{'micro':<57}  {_with_range(found.micro)}",
            f"{f'macro over {found.macro_labels} labels':<57}  {_with_range(found.macro)}",
            f"{len(found.differing)} labels differ",
        ]
    )


def _with_range(interval: "Interval") -> str:
    if isnan(interval.value):
        return "undefined"
    return f"{interval.value:.3f} {interval.low:.3f}–{interval.high:.3f}"
