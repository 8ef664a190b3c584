"""Commands label, label-audit and vocabulary: labels of reports, and how they agree."""

import json
from dataclasses import asdict
from enum import StrEnum
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from hirescam.cli.options import JobsOption, JsonOption
from hirescam.cli.progress import say, steps

if TYPE_CHECKING:
    from hirescam.reports.agreement import Agreement, Interval
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


def label(
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
    published_only: Annotated[
        bool,
        Option(
            "--published-only",
            help="long format: only the published abnormalities, no finer ones of ours",
        ),
    ] = False,
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
    """Find abnormalities, their places and the words that say so in radiology reports."""
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
                source,
                out,
                choice,
                format=format,
                published_only=published_only,
                counting=counting,
                jobs=jobs,
            )
    if explain is not None:
        show(explanation, profile, html)
    elif as_json:
        say(json.dumps({"labels": str(out), **asdict(written)}))
    else:
        say(f"{out}: {written.findings} findings in {written.reports} reports")
        if written.refused:
            say(f"{out}.errors.csv: {written.refused} reports could not be labelled")


def show(explanation: "ReportExplanation", profile: str, html: Path | None) -> None:
    """Print an explained report, and write its page where one is wanted."""
    from rich.console import Console

    from hirescam.reports.explain import rendered, write_page

    Console().print(rendered(explanation))
    if html is not None:
        write_page(explanation, html, profile=profile)
        say(html)


class AuditUncertain(StrEnum):
    """How uncertain labels count."""

    present = "present"
    absent = "absent"


def label_audit(
    first: Annotated[Path, Argument(help="labels, the manual ones where there are any")],
    second: Annotated[Path, Argument(help="labels to compare with them")],
    view: Annotated[
        str | None,
        Option(help="read rows of findings as the labels of this view: ct_rate, 80 …"),
    ] = None,
    places: Annotated[
        bool, Option("--places", help="compare each abnormality at each location")
    ] = False,
    uncertain: Annotated[
        AuditUncertain, Option(help="how uncertain counts")
    ] = AuditUncertain.present,
    least: Annotated[
        int, Option(help="macro is over labels that the first gives this often", min=1)
    ] = 10,
    differences: Annotated[
        Path | None,
        Option(help="also write every report and label on which they differ, as CSV"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two files of labels: manual ones and ours, or those of two vocabularies."""
    from hirescam.reports.agreement import compare_files, write_differences

    found = compare_files(
        first, second, view=view, places=places, uncertain=uncertain.value, least=least
    )
    if differences is not None:
        write_differences(found, differences)
    say(json.dumps(asdict(found)) if as_json else described(found))


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


class Action(StrEnum):
    """What to do with a vocabulary."""

    check = "check"


def vocabulary(
    action: Annotated[
        Action, Argument(help="check: name every flaw; exit 1 if an example fails")
    ],
    folder: Annotated[
        Path | None, Argument(help="folder of TOML rows of your own, laid over ours")
    ] = None,
    profile: Annotated[str, Option(help="default, sarle-2020 or sarle-2020-cxr")] = "default",
    as_json: JsonOption = False,
) -> None:
    """Check a labeller's tables: failing examples, terms that never match, overlaps."""
    from hirescam.reports.lint import check_vocabulary

    checked = check_vocabulary(profile, folder)
    if as_json:
        say(
            json.dumps(
                {"vocabulary": checked.version, "flaws": [asdict(f) for f in checked.flaws]}
            )
        )
    else:
        for flaw in checked.flaws:
            say(f"{flaw.kind}: {flaw.table} {flaw.row!r}: {flaw.sentence}")
        say(f"{checked.rows} rows, {len(checked.flaws)} flaws, vocabulary {checked.version}")
    if any(flaw.is_error for flaw in checked.flaws):
        raise typer.Exit(1)
