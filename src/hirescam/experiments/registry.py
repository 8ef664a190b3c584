"""Experiments by name, each with its full and its quick scale."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hirescam.experiments import shortcut, table2
from hirescam.experiments.tables import Table


@dataclass(frozen=True)
class Experiment:
    """`run(data, out, scale=…, jobs=…, on_progress=…)` gives a table."""

    run: Callable[..., Table]
    full: Any
    quick: Any


EXPERIMENTS = {
    "table2": Experiment(table2.table2, table2.FULL, table2.QUICK),
    "shortcut": Experiment(shortcut.shortcut, shortcut.FULL, shortcut.QUICK),
}
