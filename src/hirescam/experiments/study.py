"""Study: the data of an experiment, what training sees of it, and the truth that judges.

Simulated chests unless a folder of RAD-ChestCT is given; then the paper's own recipe is run,
and its numbers may be compared with the paper's. Simulated chests are labelled and segmented as
real scans would be: training sees what PARTITION makes of them, labels from the reports and
organs from the scans; evaluation uses the truth. So an experiment measures the whole pipeline.
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hirescam.atomic import atomic_write
from hirescam.ct.preparation import Preparation
from hirescam.regions.allowed import organs_of
from hirescam.reports.label import label_reports
from hirescam.reports.table import Status
from hirescam.reports.views import read_view
from hirescam.simulation.dataset import Plan, make_dataset
from hirescam.simulation.shortcuts import Planting
from hirescam.training.config import TrainConfig
from hirescam.training.datasets import rad_chestct
from hirescam.training.datasets.cases import Case, rows, with_lesions
from hirescam.training.datasets.read import read_cases
from hirescam.training.losses import MASK_LOSS_WEIGHT
from hirescam.training.prepared import OnProgress
from hirescam.training.run_folder import BEST

LABELS = (
    "great_vessel_catheter_or_port",
    "heart_cardiomegaly",
    "heart_pacemaker_or_defib",
    "lung_consolidation",
    "lung_mass",
    "lung_pleural_effusion",
    "lung_pneumothorax",
)
"""Findings that a small network learns from a few hundred chests of 3 mm voxels."""

PREVALENCE = 0.3
PREPARATION = Preparation(
    spacing_mm=(3.0, 3.2, 3.2), shape=(108, 112, 112), interpolation="linear"
)
NETWORK = {"widths": (16, 32), "blocks": (2, 2), "neck": (32, 16, 16, 16), "padding": 1}

_MEANT = {Status.PRESENT: "1", Status.ABSENT: "0", Status.UNCERTAIN: ""}


def make_chests(
    folder: Path,
    count: int,
    *,
    seed: int = 0,
    labels: Sequence[str] = LABELS,
    plantings: Sequence[Planting] = (),
    jobs: int = 1,
    on_progress: OnProgress = lambda name, done, of: None,
) -> Path:
    """A data set in which each of `labels`, and nothing else, is found in 30 of 100 chests."""
    plan = Plan(
        count=count,
        seed=seed,
        prevalence=dict.fromkeys(labels, PREVALENCE),
        only=True,
        co_occurrence=0.0,
        plantings=tuple(plantings),
    )
    return make_dataset(folder, plan, jobs=jobs, on_progress=on_progress)


def partition_table(data: Path, labels: Sequence[str] = LABELS) -> Path:
    """A table of the data set whose labels and places were read from its reports.

    What a report calls uncertain is unknown; what it does not mention is absent.
    """
    reports = {row["id"]: row["report"] for row in rows(data / "reports.csv")}
    splits = {row["id"]: row["split"] for row in rows(data / "splits.csv")}
    said = label_reports(reports)
    view, sided = read_view("80"), read_view("80-sides")
    organs = [f"{label}*{organ}" for label in labels for organ in organs_of(label)]
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["id", "path", "split", *labels, *organs])
    for name in reports:
        statuses = view.see(said[name])
        present = {
            label for label, status in sided.see(said[name]).items() if status is Status.PRESENT
        }
        found = [_MEANT[statuses.get(label, Status.ABSENT)] for label in labels]
        places = [int(_sided(column) in present) for column in organs]
        table.writerow([name, f"scans/{name}.nii.gz", splits[name], *found, *places])
    path = data / "partition.csv"
    with atomic_write(path) as file:
        file.write(text.getvalue().encode())
    return path


def true_cases(data: Path, labels: Sequence[str] = LABELS) -> dict[str, tuple[Case, ...]]:
    """The cases with the labels, places and organs that are known to be true, by split."""
    config = TrainConfig(
        layout="simulated", data=data, labels=tuple(labels), organs=data / "truth"
    )
    return dict(with_lesions(read_cases(config), data / "truth").splits)


def recipe(data: Path, **changes: object) -> TrainConfig:
    """How the experiments train a small AxialNet on `partition_table`."""
    return TrainConfig.model_validate(
        {
            "layout": "csv",
            "data": data / "partition.csv",
            "labels": LABELS,
            "cache": data / "cache",
            "preparation": PREPARATION,
            "arguments": NETWORK,
            "start": "few-scans",
            "optimiser": "adamw",
            "learning_rate": 2e-3,
            "weight_decay": 1e-4,
            "downsampling": "centre",
            "augmentation": "none",
            "tensorboard": False,
            **changes,
        }
    )


def _sided(column: str) -> str:
    """The sided label that tells of a column: of lung_mass*left_lung, left_lung_mass."""
    label, _, organ = column.partition("*")
    return label.replace("lung_", f"{organ}_", 1) if label.startswith("lung_") else label


STRONG = 10.0
"""λ on simulated chests.

A few epochs are no hundred: with the paper's 1/3, a forbidden cell then feels a hundredth of
what the classification loss makes it feel. From the first step on, though, 10 keeps a network
from learning anything, so it learns to classify first.
"""

_FURTHER_RATE = 1e-3


@dataclass(frozen=True)
class StudySize:
    """How much is simulated and trained; RAD-ChestCT is taken whole, by its own recipe."""

    chests: int
    epochs: int
    seeds: tuple[int, ...]
    further: int = 4
    """Epochs of mask loss after those of classification alone."""
    patience: int = 4
    """Epochs in a row without a lower validation loss that end the training of a network."""


@dataclass(frozen=True, eq=False)
class Study:
    """`recipe(**changes)` is how a network is trained; `cases`, by split, are what is true.

    `further` changes a recipe so that it goes on from the network of an earlier run, and
    `mask_loss_weight` is the λ that then shows in the maps. `runs` is the folder in which
    experiments find the networks that others of them trained.
    """

    told: str
    recipe: Callable[..., TrainConfig]
    further: Callable[[Path], Mapping[str, object]]
    mask_loss_weight: float
    cases: Mapping[str, Sequence[Case]]
    cache: Path
    runs: Path
    of_paper: bool


def study(
    data: Path, out: Path, scale: StudySize, *, jobs: int, on_progress: OnProgress
) -> Study:
    """RAD-ChestCT if `data` holds its tables, else simulated chests, made there if missing."""
    if any(data.rglob(rad_chestct.TABLES["train"])):
        return _rad_chestct(data, out)
    return _simulated(data, out, scale, jobs, on_progress)


def _simulated(
    data: Path, out: Path, scale: StudySize, jobs: int, on_progress: OnProgress
) -> Study:
    chests = data / f"{scale.chests}-chests"
    make_chests(chests, scale.chests, jobs=jobs, on_progress=on_progress)
    partition_table(chests)
    cases = true_cases(chests)
    told = (
        f"{scale.chests} simulated chests of 3 mm voxels, {len(cases['test'])} of them for "
        f"testing; seeds: {len(scale.seeds)}. Labels for training were read from the reports, "
        f"organs segmented from the scans; measured against the truth. The paper's numbers are "
        f"of real scans and 80 labels: only directions can be compared."
    )

    return Study(
        told,
        partial(recipe, chests, epochs=scale.epochs, patience=scale.patience),
        partial(going_on, epochs=scale.further),
        STRONG,
        cases,
        chests / "cache",
        out / "runs" / f"{chests.name}-{scale.epochs}-epochs",
        of_paper=False,
    )


def going_on(first: Path, epochs: int) -> Mapping[str, object]:
    """What changes in a recipe that goes on from the network of the run `first`."""
    return {
        "start": "model",
        "start_model": first / BEST,
        "epochs": epochs,
        "learning_rate": _FURTHER_RATE,
    }


def _rad_chestct(data: Path, out: Path) -> Study:
    config = TrainConfig(layout="rad-chestct", data=data)
    cases = read_cases(config).splits
    told = (
        f"RAD-ChestCT: {', '.join(f'{len(each)} {split}' for split, each in cases.items())} "
        f"scans, labels from their reports, organs segmented from the scans."
    )

    def paper_recipe(**changes: object) -> TrainConfig:
        return TrainConfig.model_validate({"layout": "rad-chestct", "data": data, **changes})

    return Study(
        told,
        paper_recipe,
        lambda first: {},
        MASK_LOSS_WEIGHT,
        cases,
        data / "cache",
        out / "runs" / "rad-chestct",
        of_paper=True,
    )
