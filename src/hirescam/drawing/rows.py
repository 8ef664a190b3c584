"""Rows of a table as CSV and as JSON, where some numbers are undefined."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path

from hirescam.evaluation.tables import Row, columns


def write_csv(rows: Sequence[Row], path: Path) -> None:
    """A table as CSV; what is undefined is left empty."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns(rows))
        writer.writeheader()
        writer.writerows({name: _blank(value) for name, value in row.items()} for row in rows)


def without_nan(value: object) -> object:
    """What JSON can hold: null where a number is undefined."""
    if isinstance(value, dict):
        return {name: without_nan(each) for name, each in value.items()}
    if isinstance(value, list):
        return [without_nan(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _blank(value: object) -> object:
    return "" if isinstance(value, float) and math.isnan(value) else value
