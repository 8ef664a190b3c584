"""Experiments by name: each is a module that offers `run`, `FULL` and `QUICK`."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hirescam.experiments.tables import Table

EXPERIMENTS = {
    "table1": "networks and ablations, what they find and where they look",
    "table6": "organ masks shrunk to a map in four ways, for the mask loss",
    "table2": "the mask loss, by Grad-CAM and by HiResCAM",
    "shortcut": "a planted marker, and what a mask loss can do about it",
    "voc": "photographs: IoU of maps with objects, where Grad-CAM differs and where it cannot",
}


@dataclass(frozen=True)
class Experiment:
    """`run(data, out, scale=…, jobs=…, on_progress=…)` gives a table, and may draw pictures."""

    run: "Callable[..., Table]"
    full: Any
    quick: Any


def experiment(name: str) -> Experiment:
    """The experiment of a name in `EXPERIMENTS`."""
    module = import_module(f"hirescam.experiments.{name}")
    return Experiment(module.run, module.FULL, module.QUICK)
