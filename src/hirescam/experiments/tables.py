"""Tables of experiments: the same rows as CSV, Markdown and HTML."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hirescam.atomic import atomic_write
from hirescam.evaluation.tables import Row, columns
from hirescam.figures.output import write_csv
from hirescam.summary.templates import number

_STYLE = (
    "body{max-width:62rem;margin:2rem auto;padding:0 1rem;font:16px/1.5 system-ui,sans-serif}"
    "table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}"
    "th,td{text-align:right;padding:.3rem .7rem;border-bottom:1px solid #ddd}"
    "th:first-child,td:first-child{text-align:left}"
)


@dataclass(frozen=True)
class Table:
    """An experiment's result: rows, and what a reader must know about them."""

    name: str
    title: str
    rows: Sequence[Row]
    notes: Sequence[str] = ()


def write_table(table: Table, folder: Path) -> Path:
    """Write NAME.csv, NAME.md and NAME.html; the Markdown's path comes back."""
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(table.rows, folder / f"{table.name}.csv")
    for suffix, text in ((".html", as_html(table)), (".md", as_markdown(table))):
        path = folder / f"{table.name}{suffix}"
        with atomic_write(path) as file:
            file.write(text.encode())
    return path


def as_markdown(table: Table) -> str:
    """The table as Markdown, its notes below."""
    names = columns(table.rows)
    lines = [
        f"# {table.title}",
        "",
        f"| {' | '.join(name.replace('_', ' ') for name in names)} |",
        f"|{'---|' * len(names)}",
        *(
            f"| {' | '.join(number(row.get(name, '')) for name in names)} |"
            for row in table.rows
        ),
        "",
        *(f"{note}\n" for note in table.notes),
    ]
    return "\n".join(lines)


def as_html(table: Table) -> str:
    """The table as one page that needs no other file."""
    names = columns(table.rows)
    head = "".join(f"<th>{html.escape(name.replace('_', ' '))}</th>" for name in names)
    body = "".join(
        "<tr>"
        + "".join(f"<td>{html.escape(number(row.get(name, '')))}</td>" for name in names)
        + "</tr>"
        for row in table.rows
    )
    notes = "".join(f"<p>{html.escape(note)}</p>" for note in table.notes)
    title = html.escape(table.title)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style><h1>{title}</h1><table><tr>{head}</tr>{body}</table>{notes}\n"
    )
