"""Fat: how much of a patient's body is fat, and a study in which that is a shortcut."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from hirescam.atomic import atomic_write
from hirescam.ct.files import read_volume
from hirescam.ct.volume import Volume
from hirescam.experiments.chests import make_chests, partition_table, recipe, true_cases
from hirescam.experiments.study import Scale, Study
from hirescam.organs.body import body
from hirescam.organs.work_grid import work_grid
from hirescam.simulation.shortcuts import Planting
from hirescam.training.datasets.cases import Case
from hirescam.training.prepared import OnProgress

FAT_HU = (-190, -30)
"""Adipose tissue on CT: Yoshizumi et al., Radiology 211:283-286, 1999."""


def with_fat(
    plain: Study,
    folder: Path,
    scale: Scale,
    label: str,
    strength: float,
    *,
    jobs: int,
    on_progress: OnProgress,
) -> Study:
    """A simulated study whose people, in training, have fat that goes with `label`.

    `strength` is their correlation. The test scans stay as they are: there, fat goes with
    nothing.
    """
    planted = (Planting("body_fat", label, strength),)
    make_chests(folder, scale.chests, plantings=planted, jobs=jobs, on_progress=on_progress)
    partition_table(folder)
    told = (
        f"In training and validation, fat of the body wall goes with {label} (correlation "
        f"{strength}), in the test scans with nothing; one seed. {plain.told}"
    )
    return replace(
        plain,
        told=told,
        recipe=partial(recipe, folder, epochs=scale.epochs),
        cases={"valid": true_cases(folder)["valid"], "test": plain.cases["test"]},
        cache=folder / "cache",
        runs=plain.runs.with_name(f"{folder.name}-{scale.epochs}-epochs"),
    )


def fat_share(scan: Volume) -> float:
    """The share of fat in the tissue of the body, from 0 to 1; lungs are no tissue."""
    hu = work_grid(scan).hu
    tissue = hu[body(hu)]
    low, high = FAT_HU
    return float(np.mean((tissue >= low) & (tissue <= high))) if len(tissue) else np.nan


def kept_fat_share(case: Case, folder: Path) -> float:
    """The fat of a case's scan, measured once and kept in `folder`."""
    path = folder / f"{case.id}.txt"
    if not path.exists():
        with atomic_write(path) as file:
            file.write(repr(fat_share(read_volume(case.scan))).encode())
    return float(path.read_text())
