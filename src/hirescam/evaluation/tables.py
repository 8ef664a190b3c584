"""Tables of an evaluation: rows that name their columns, intervals of 95 %."""

from collections.abc import Iterable

import numpy as np

from hirescam.metrics.classification import Interval

Row = dict[str, object]


def interval_columns(name: str, found: Interval) -> Row:
    """An interval as three columns."""
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def share(parts: np.ndarray, wholes: np.ndarray) -> float:
    """The sum of the parts over that of the wholes; NaN where there are none."""
    whole = float(np.sum(wholes))
    return float(np.sum(parts)) / whole if whole else np.nan


def columns(rows: Iterable[Row]) -> list[str]:
    """Every column of a table, in order of first appearance."""
    return list(dict.fromkeys(name for row in rows for name in row))
