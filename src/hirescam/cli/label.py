"""Find abnormalities, their places and the words that say so in radiology reports."""

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from hirescam.cli.options import JobsOption, JsonOption
from hirescam.cli.progress import steps

if TYPE_CHECKING:
    from hirescam.reports.explain import ReportExplanation


class Uncertain(StrEnum):
    """How a table counts what a report is not sure of."""

    present = "present"
    absent = "absent"
    minus_one = "-1"
    blank = "blank"


class Unmentioned(StrEnum):
    """How a table counts what a report does not name."""

    absent = "absent"
    blank = "blank"


CELLS = {"present": 1, "absent": 0, "-1": -1, "blank": None}


def run(
    reports: Annotated[
        Path, Argument(help=".csv, .jsonl or .parquet of reports, or a folder of .txt")
    ],
    out: Annotated[Path, Option("--out", "-o", help=".csv or .parquet to write")] = Path(
        "labels.csv"
    ),
    id_column: Annotated[str, Option(help="column that names each report")] = "id",
    text_column: Annotated[str, Option(help="column that holds its text")] = "report",
    profile: Annotated[
        str, Option(help="default, sarle-2020 (CT) or sarle-2020-cxr (chest X-ray)")
    ] = "default",
    vocabulary: Annotated[
        Path | None, Option(help="folder of TOML rows of your own, laid over ours")
    ] = None,
    format: Annotated[
        str,
        Option(
            help="long: a row per finding; wide: abnormality*location columns; 80, 80-sides, "
            "80-published, ct_rate …: a row of labels per report; or a .toml of your own"
        ),
    ] = "long",
    uncertain: Annotated[
        Uncertain, Option(help="how uncertain counts, except in the long format")
    ] = Uncertain.present,
    unmentioned: Annotated[
        Unmentioned, Option(help="how not mentioned counts, except in the long format")
    ] = Unmentioned.absent,
    ambiguous: Annotated[
        bool, Option(help="sarle-2020-cxr: whether ambiguous findings are kept")
    ] = True,
    location_checks: Annotated[
        bool, Option(help="sarle-2020: whether impossible locations are dropped")
    ] = True,
    jobs: JobsOption = 1,
    explain: Annotated[
        str | None, Option(help="only show this report in colour, with what was found and why")
    ] = None,
    html: Annotated[
        Path | None, Option(help="with --explain: also write this page; it holds the text")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Label every report of a file, or explain one."""
    with steps() as step:
        step("reading the vocabulary")
        from hirescam.reports.label import Source, explain_one, label_file
        from hirescam.reports.label_files import Counting
        from hirescam.reports.profile import ProfileChoice

        options = {"ambiguous": ambiguous, "location_checks": location_checks}
        changed = tuple((name, value) for name, value in options.items() if not value)
        choice = ProfileChoice(profile, vocabulary, changed)
        source = Source(reports, id_column, text_column)
        step("labelling")
        if explain is not None:
            explanation = explain_one(source, explain, choice)
        else:
            counting = Counting(CELLS[uncertain], CELLS[unmentioned])
            written = label_file(
                source, out, choice, format=format, counting=counting, jobs=jobs
            )
    if explain is not None:
        show(explanation, profile, html)
    elif as_json:
        print(json.dumps({"labels": str(out), **asdict(written)}))
    else:
        print(f"{out}: {written.findings} findings in {written.reports} reports")
        if written.refused:
            print(f"{out}.errors.csv: {written.refused} reports could not be labelled")


def show(explanation: "ReportExplanation", profile: str, html: Path | None) -> None:
    """Print an explained report, and write its page where one is wanted."""
    from rich.console import Console

    from hirescam.reports.explain import rendered, write_page

    Console().print(rendered(explanation))
    if html is not None:
        write_page(explanation, html, profile=profile)
        print(html)
