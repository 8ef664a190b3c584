"""Explain: a report in colour, with what was found and why, on a terminal or as a page."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import jinja2
from rich.console import Group
from rich.table import Table
from rich.text import Text

from hirescam.atomic import atomic_write, refuse_overwriting
from hirescam.printable import masked
from hirescam.reports.profile import Annotates, Explains, LeftOut, Profile
from hirescam.reports.table import Finding, Status, strongest

# Orange, yellow and sky blue of Okabe and Ito, told apart with any colour blindness.
_STYLES = {
    Status.PRESENT: "bold #000000 on #e69f00",
    Status.UNCERTAIN: "italic #000000 on #f0e442",
    Status.ABSENT: "#000000 on #56b4e9",
}
_LEFT_OUT = "dim strike"
_NOTED = "underline"


@dataclass(frozen=True)
class QuotedFinding:
    """One abnormality at all the places that the same words give it."""

    abnormality: str
    locations: tuple[str, ...]
    status: Status
    start: int
    end: int
    text: str


@dataclass(frozen=True)
class TextSegment:
    """Part of a report of which everywhere the same is known."""

    text: str
    status: Status | None
    said: tuple[QuotedFinding, ...]
    left_out: str
    note: str = ""  # the cue that stands here, or the word that it was read as


@dataclass(frozen=True)
class ReportExplanation:
    """A report's text in stretches, and what was found in it."""

    report: str
    stretches: tuple[TextSegment, ...]
    said: tuple[QuotedFinding, ...]
    version: str


def explain_report(profile: Profile, report: str, text: str) -> ReportExplanation:
    """What a profile finds in a report, where, and what it left out."""
    said = tuple(_said(profile.label(report, text)))
    left_out = profile.left_out(text) if isinstance(profile, Explains) else []
    notes = profile.notes(text) if isinstance(profile, Annotates) else []
    return ReportExplanation(
        report, tuple(_stretches(text, said, left_out, notes)), said, profile.version
    )


def _said(findings: Iterable[Finding]) -> Iterator[QuotedFinding]:
    places: dict[tuple[int, int, str, Status], list[Finding]] = {}
    for row in findings:
        places.setdefault((row.start, row.end, row.abnormality, row.status), []).append(row)
    for (start, end, abnormality, status), rows in sorted(places.items()):
        locations = tuple(row.location for row in rows if row.location)
        yield QuotedFinding(abnormality, locations, status, start, end, rows[0].text)


def _stretches(
    text: str,
    said: Sequence[QuotedFinding],
    left_out: Sequence[LeftOut],
    notes: Sequence[LeftOut] = (),
) -> Iterator[TextSegment]:
    spans = [(part.start, part.end) for part in said] + [
        (p.start, p.end) for p in (*left_out, *notes)
    ]
    edges = {0, len(text)}.union(*spans)
    for start, end in pairwise(sorted(edges)):
        here = tuple(part for part in said if part.start <= start < part.end)
        why = "; ".join(part.why for part in left_out if part.start <= start < part.end)
        note = "; ".join(part.why for part in notes if part.start <= start < part.end)
        status = strongest(part.status for part in here)
        yield TextSegment(text[start:end], status, here, why, note)


def rendered(explanation: ReportExplanation) -> Group:
    """The report and its findings for a `rich.console.Console`."""
    text = Text()
    for part in explanation.stretches:
        plain = _LEFT_OUT if part.left_out else ""
        style = _STYLES[part.status] if part.status else plain or _NOTED * bool(part.note)
        text.append(masked(part.text), style)
    table = Table(
        title=Text(f"{masked(explanation.report)}: what was found"), title_justify="left"
    )
    for column in ("status", "abnormality", "where", "because it says"):
        table.add_column(column, overflow="fold")
    for row in explanation.said:
        status = Text(row.status, _STYLES[row.status])
        table.add_row(
            status, row.abnormality, ", ".join(row.locations) or "–", Text(masked(row.text))
        )
    legend = Text("  ").join(
        [Text(f" {status} ", style) for status, style in _STYLES.items()]
        + [Text("left out", _LEFT_OUT), Text("cue, or word read as another", _NOTED)]
    )
    return Group(text, Text(), table, legend)


_GENERATOR = b'<meta name="generator" content="hirescam label">'


def page(explanation: ReportExplanation, *, profile: str) -> str:
    """The report in colour beside what was found; the page holds the report's text."""
    return _template().render(explanation=explanation, profile=profile)


def write_page(explanation: ReportExplanation, path: Path, *, profile: str) -> None:
    """Write the page to a file. Raises `WriteError` if one is there that is not such a page."""
    is_page = path.is_file() and _GENERATOR in path.read_bytes()
    refuse_overwriting(path, ours=is_page)
    with atomic_write(path) as file:
        file.write(page(explanation, profile=profile).encode())


@cache
def _template() -> jinja2.Template:
    source = files(__package__).joinpath("page.html.jinja").read_text(encoding="utf-8")
    house = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return house.from_string(source)
