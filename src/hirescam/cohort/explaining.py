"""Explaining: the step that writes one model's explanation of each scan."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch

from hirescam.cohort.manifest import Entry
from hirescam.cohort.reading import STRICT, Reading
from hirescam.ct.volume import Volume
from hirescam.errors import ModelError, TargetError
from hirescam.explanation import Geometry, Method, explain, occlude_organ
from hirescam.models.accelerate import accelerate
from hirescam.models.files import Model, load_model
from hirescam.organs.files import read_organs
from hirescam.organs.masks import OrganMasks
from hirescam.organs.segment import segment_organs
from hirescam.summary.folder import write_summary


@dataclass(frozen=True)
class Explaining:
    """Options of `explain` and of its summary; `threads` too, for they change last digits.

    With `organs` of the manifest, or else found in the scan, evidence is told by organ; organs
    in `hidden` are hidden to check that. Without `pages` a scan's folder holds summary.json,
    maps and organs alone.
    """

    model: Path
    model_sha256: str
    reading: Reading = STRICT
    method: Method = "hirescam"
    geometry: Geometry = "receptive-field"
    precision: Literal["fp32", "bf16"] = "fp32"
    compile: bool = False
    device: str = "cpu"
    threads: int = 1
    labels: tuple[str, ...] | None = None
    on_scan: bool = False
    organs: bool = True
    hidden: tuple[str, ...] = ()
    pages: bool = False

    name = "explain"

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that decides the files of a scan."""
        return {
            "torch": torch.__version__,
            "model_sha256": self.model_sha256,
            "reading": self.reading.settings,
            "method": self.method,
            "geometry": self.geometry,
            "precision": self.precision,
            "compile": self.compile,
            "device": self.device,
            "threads": self.threads,
            "labels": self.labels and list(self.labels),
            "on_scan": self.on_scan,
            "organs": self.organs,
            "hidden": list(self.hidden),
            "pages": self.pages,
        }

    def __call__(self, entry: Entry, folder: Path) -> None:
        """Write summary.json and maps, with `pages` report.html and pictures too."""
        torch.set_num_threads(self.threads)
        model, volume = _model(self), self.reading.read(entry.path, entry.series)
        found = explain(
            model,
            volume,
            method=self.method,
            geometry=self.geometry,
            any_values=True,  # `reading` has checked them
        )
        masks = _organs(entry, volume) if self.organs else None
        write_summary(
            found,
            folder,
            labels=self.labels,
            on_scan=self.on_scan,
            pages=self.pages,
            organs=masks,
            occlusions=[occlude_organ(model, found, masks, name) for name in self.hidden],
        )


def explaining(model: Path, **options: Any) -> Explaining:
    """The step for a model file, which is read once to see that it is one.

    Raises `ModelError` if it is none, `TargetError` for labels that it does not have.
    """
    loaded = load_model(model)
    step = Explaining(model.absolute(), loaded.sha256, **options)
    unknown = [label for label in step.labels or () if label not in loaded.labels]
    if unknown:
        raise TargetError(
            f"{model.name} has no label {unknown[0]!r}: choose from {', '.join(loaded.labels)}"
        )
    return step


def _organs(entry: Entry, volume: Volume) -> OrganMasks:
    """The organs that the manifest names, or those that are found."""
    return read_organs(entry.organs) if entry.organs else segment_organs(volume)


@cache
def _model(step: Explaining) -> Model:
    """The model of a step, read once in each process."""
    model = load_model(step.model)
    if model.sha256 != step.model_sha256:
        raise ModelError(
            f"{step.model.name} is another file than when this run began: let it be while a "
            f"cohort is explained, and begin again"
        )
    return accelerate(model, precision=step.precision, compile=step.compile, device=step.device)
