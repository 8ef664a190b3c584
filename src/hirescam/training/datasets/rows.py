"""Rows of a CSV file, by column; and the columns `abnormality*location` among them."""

import csv
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from hirescam.errors import ReadError
from hirescam.reports.table import Finding, Status

Row = dict[str, str]
_ABSENT = frozenset({"", "0", "0.0", "0.00"})


def rows(path: Path) -> Iterator[Row]:
    """Each row of a CSV file with a header."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            yield from csv.DictReader(file)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ReadError(f"{path.name} is no CSV table in UTF-8 ({error}): check it") from error


def number(row: Row, column: str) -> float:
    """1 present, 0 absent, NaN unknown: an empty cell."""
    text = (row[column] or "").strip()
    try:
        value = float(text or "nan")
    except ValueError:
        value = -1.0
    if value not in (0, 1) and value == value:
        raise ReadError(f"column {column} holds {text!r}, expected 1, 0 or nothing")
    return value


def findings(row: Row) -> list[Finding]:
    """What the columns `abnormality*location` of a row say is present."""
    said = []
    present = (column for column, value in row.items() if value not in _ABSENT)
    for abnormality, star, location in (column.partition("*") for column in present):
        if star:
            place = "" if location == "other_location" else location
            said.append(Finding("", abnormality, place, Status.PRESENT, 0, 0, ""))
    return said


def sides(statuses: Iterable[str]) -> dict[str, list[str]]:
    """Of labels with sides, as in the view 80-sides: each lung label and its lungs."""
    told = sorted(
        (f"lung_{rest}", f"{side}_lung")
        for side, lung, rest in (label.partition("_lung_") for label in statuses)
        if lung
    )
    return {
        label: [organ for _, organ in of_label]
        for label, of_label in groupby(told, key=lambda pair: pair[0])
    }
