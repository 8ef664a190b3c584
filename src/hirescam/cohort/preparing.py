"""Preparing: the step that puts scans, their organs and regions on disk for training."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hirescam.anatomy import ORGANS
from hirescam.cohort.manifest import Entry
from hirescam.cohort.reading import STRICT, Reading
from hirescam.errors import HirescamError
from hirescam.models.files import load_model
from hirescam.organs.files import save_organs
from hirescam.organs.segment import segment_organs
from hirescam.training.assemble import grid, randomly_initialised_model
from hirescam.training.config import TrainConfig
from hirescam.training.datasets.cases import Case, Cases
from hirescam.training.prepared import Grid, grid_of, prepare

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
