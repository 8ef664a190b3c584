"""Experiments by name: each is a module that offers `run`, `FULL` and `QUICK`."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hirescam.experiments.tables import Table

EXPERIMENTS = {
    "table1": "networks and ablations, what they find and where they look",
    "table2": "the mask loss, by Grad-CAM and by HiResCAM",
    "table3": "what maps of published networks are worth, by audit",
    "table6": "organ masks shrunk to a map in four ways, for the mask loss",
    "fig5": "Grad-CAM against HiResCAM, where they point at different organs",
    "fig8": "lungs found step by step",
    "fig9": "lungs of scans drawn by chance, and how often they are missed",
    "fig10": "OrganIoU by labels per scan, epoch by epoch",
    "fig11": "wrong predictions that their map gives away",
    "fig12": "a gallery drawn by chance",
    "fig13": "slice scores of scans with and without a label",
    "fig14": "a network that judges by body fat, and one kept from it",
    "shortcut": "a planted marker, and what a mask loss can do about it",
    "default-model": "the small model that comes with the package, from simulated chests",
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
    module = import_module(f"hirescam.experiments.{name.replace('-', '_')}")
    return Experiment(module.run, module.FULL, module.QUICK)
