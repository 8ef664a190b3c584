"""Steps that read scans: explain each with a model, or prepare it for training."""

import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from hirescam.anatomy import ORGANS
from hirescam.cohort.manifest import Entry
from hirescam.ct.reading import read_volume
from hirescam.ct.sandbox import read_volume_sandboxed
from hirescam.ct.validation import as_read_error, check_hounsfield
from hirescam.ct.volume import Volume
from hirescam.errors import HirescamError, ModelError
from hirescam.explanation import BESIDE, Geometry, check_methods, explain, occlude_organ
from hirescam.models.accelerate import accelerate
from hirescam.models.files import Model, load_model, open_model
from hirescam.organs.files import read_organs, save_organs
from hirescam.organs.masks import OrganMasks
from hirescam.organs.segment import segment_organs
from hirescam.summary.folder import write_summary
from hirescam.training.assemble import grid, randomly_initialised_model
from hirescam.training.config import TrainConfig
from hirescam.training.datasets.cases import Case, Cases
from hirescam.training.prepared import Grid, grid_of, prepare


@dataclass(frozen=True)
class Reading:
    """Options of `read_volume`, and whether values that no person has are taken too."""

    on_bad_geometry: Literal["error", "repair"] = "error"
    assume_hu: bool = False
    sandbox: bool = False
    any_values: bool = False
    acquisition: str | None = None
    prefer_form: Literal["sform", "qform"] | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the voxels that come of a scan."""
        return {
            name: it for name, it in vars(self).items() if name != "sandbox" and it is not None
        }

    def read(self, path: Path, series: str | None = None) -> Volume:
        """The scan at a path. Raises `ReadError` if it cannot be read without a guess."""
        reader = read_volume_sandboxed if self.sandbox else read_volume
        volume = reader(
            path,
            series=series,
            on_bad_geometry=self.on_bad_geometry,
            assume_hu=self.assume_hu,
            acquisition=self.acquisition,
            prefer_form=self.prefer_form,
        )
        if not self.any_values:
            with as_read_error(path):
                check_hounsfield(volume)
        return volume


STRICT = Reading()
"""Nothing repaired, nothing assumed."""


@dataclass(frozen=True)
class Explaining:
    """Options of `explain` and of its summary; `threads` too, for they change last digits.

    With `organs` of the manifest, or else found in the scan, evidence is told by organ; organs
    in `hidden` are hidden to check that. `also` names methods whose maps are made beside; left
    out, those that pages compare with. Without `pages` a scan's folder holds summary.json,
    maps and organs alone.
    """

    model: str
    model_sha256: str
    reading: Reading = STRICT
    method: str = "hirescam"
    also: tuple[str, ...] | None = None
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
    trust: bool = False

    name = "explain"

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that decides the files of a scan."""
        return {
            "torch": torch.__version__,
            "model_sha256": self.model_sha256,
            "reading": self.reading.settings,
            "method": self.method,
            "also": self.also and list(self.also),
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
            also=self.also or (BESIDE if self.pages else ()),
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


def explaining(model: Path | str, *, trust: bool = False, **options: Any) -> Explaining:
    """The step for a model, which is opened once to see that it is one.

    Raises `ModelError` if it is none, `TargetError` for labels that it does not have,
    `HirescamError` for a method whose maps are not made of one forward pass.
    """
    loaded = open_model(model, trust=trust)
    where = str(Path(model).absolute()) if Path(model).is_file() else str(model)
    step = Explaining(where, loaded.sha256, trust=trust, **options)
    loaded.check_labels(step.labels or ())
    check_methods(step.method, *(step.also or ()))
    return step


def _organs(entry: Entry, volume: Volume) -> OrganMasks:
    """The organs that the manifest names, or those that are found."""
    return read_organs(entry.organs) if entry.organs else segment_organs(volume)


@cache
def _model(step: Explaining) -> Model:
    """The model of a step, read once in each process."""
    model = open_model(step.model, trust=step.trust)
    if model.sha256 != step.model_sha256:
        raise ModelError(
            f"{Path(step.model).name} is another model than when this run began: let it "
            f"be while a cohort is explained, and begin again"
        )
    return accelerate(model, precision=step.precision, compile=step.compile, device=step.device)


PREPARED = "prepared.json"
_NOTHING_KNOWN = np.zeros(0, np.float32), np.zeros((0, len(ORGANS)), bool)


@dataclass(frozen=True)
class Preparing:
    """What scans are prepared for, the cache that training reads, and how they are read."""

    grid: Grid
    cache: Path
    reading: Reading = STRICT

    name = "prepare"

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that decides the files of a scan."""
        return {
            "reading": self.reading.settings,
            "preparation": self.grid.preparation.model_dump(mode="json"),
            "cells": [asdict(axis) for axis in self.grid.cells],
            "downsampling": self.grid.downsampling,
            "fraction": self.grid.fraction,
            "dilated": self.grid.dilated,
        }

    def __call__(self, entry: Entry, folder: Path) -> None:
        """Write the scan's organs, named after it, and where the cache holds the rest."""
        volume = self.reading.read(entry.path, entry.series)
        organs = entry.organs or save_organs(
            segment_organs(volume),
            folder / f"{entry.id}.nii.gz",  # the name that `organs` of a recipe looks for
        )
        case = Case(entry.id, entry.path, *_NOTHING_KNOWN, organs=organs, series=entry.series)
        files = prepare(case, self.grid, self.cache, with_organs=True, volume=volume)
        assert files.organs is not None, "prepared with organs"
        places = {
            "voxels": files.voxels.relative_to(self.cache).as_posix(),
            "regions": files.organs.relative_to(self.cache).as_posix(),
        }
        (folder / PREPARED).write_text(json.dumps(places, indent=1) + "\n", encoding="utf-8")


def preparing(
    cache: Path, *, model: Path | None, recipe: Path | None, reading: Reading = STRICT
) -> Preparing:
    """The step for a model file, or for a recipe that a model is yet to be trained by."""
    if (model is None) == (recipe is None):
        raise HirescamError(
            "scans are prepared for one network: give either --model, or the --recipe of one "
            "that is yet to be trained"
        )
    if model is not None:
        return Preparing(grid_of(load_model(model)), cache.absolute(), reading)
    assert recipe is not None, "one of the two"
    config = TrainConfig.read(recipe)
    untrained = randomly_initialised_model(config, Cases({}, {"train": ()}))
    return Preparing(grid(config, untrained), cache.absolute(), reading)
