"""Fat: how much of a patient's body is fat, and a study in which that is a shortcut."""

from functools import partial
from pathlib import Path

import numpy as np

from hirescam.ct.files import read_volume
from hirescam.ct.volume import Volume
from hirescam.ct.whole_file import whole_file
from hirescam.experiments.chests import make_chests, partition_table, recipe, true_cases
from hirescam.experiments.study import Scale, Study
from hirescam.organs.body import body
from hirescam.organs.work_grid import work_grid
from hirescam.simulate.planting import Planting
from hirescam.training.datasets.cases import Case
from hirescam.training.prepared import OnProgress

FAT_HU = (-190, -30)
"""Adipose tissue on CT: Yoshizumi et al., Radiology 211:283-286, 1999."""


def fat_study(
    data: Path,
    out: Path,
    scale: Scale,
    label: str,
    strength: float,
    *,
    jobs: int,
    on_progress: OnProgress,
) -> Study:
    """Simulated people whose fat goes with `label` in training, and with nothing in the tests.

    `strength` is the correlation in training.
    """
    folder = data / f"fat-{scale.chests}-chests"
    plantings = {"planted": (Planting("body_fat", label, strength),), "plain": ()}
    for name, planted in plantings.items():
        make_chests(
            folder / name, scale.chests, plantings=planted, jobs=jobs, on_progress=on_progress
        )
    partition_table(folder / "planted")
    cases = {
        "valid": true_cases(folder / "planted")["valid"],
        "test": true_cases(folder / "plain")["test"],
    }
    told = (
        f"{scale.chests} simulated chests of 3 mm voxels. In training, fat of the body wall "
        f"goes with {label} (correlation {strength}); in the {len(cases['test'])} test scans "
        f"with nothing. {scale.epochs} epochs, one seed."
    )
    how = partial(recipe, folder / "planted", epochs=scale.epochs)
    runs = out / "runs" / f"{folder.name}-{scale.epochs}-epochs"
    return Study(told, how, cases, folder / "cache", runs, of_paper=False)


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
        with whole_file(path) as file:
            file.write(repr(fat_share(read_volume(case.scan))).encode())
    return float(path.read_text())
