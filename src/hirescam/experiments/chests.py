"""Chests: a simulated data set for experiments, labelled and segmented as real scans would be.

Training sees what PARTITION makes of it: labels from the reports, organs from the scans.
Evaluation uses the truth. So an experiment measures the whole pipeline, the labeller and the
segmenter included.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from hirescam.atomic import atomic_write
from hirescam.ct.prepare import Preparation
from hirescam.regions.allowed import organs_of
from hirescam.reports.label import label_reports
from hirescam.reports.table import Status
from hirescam.reports.views import read_view
from hirescam.simulation.dataset import Plan, make_dataset
from hirescam.simulation.shortcuts import Planting
from hirescam.training.config import TrainConfig
from hirescam.training.datasets.cases import Case, rows
from hirescam.training.datasets.read import read_cases
from hirescam.training.prepared import OnProgress

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
NETWORK = {"widths": (16, 32), "blocks": (2, 2), "neck": (32, 16, 16, 16)}

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
    return dict(read_cases(config).splits)


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
