"""Evaluating: the step that keeps what a model says of each scan whose truth is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch

from hirescam.cohort.manifest import Entry
from hirescam.cohort.work import result_folder
from hirescam.errors import ReadError
from hirescam.evaluation.outcomes import (
    Outcomes,
    evaluate,
    joined,
    load_outcomes,
    save_outcomes,
)
from hirescam.figures.evaluation_page import write_evaluation
from hirescam.metrics.organ_iou import Definition
from hirescam.models.files import Model, load_model
from hirescam.regions.downsample import Downsampling
from hirescam.reports.label_files import read_labels
from hirescam.reports.views import read_view
from hirescam.training.datasets.cases import Case, anatomy_of, case, sides
from hirescam.training.prepared import digest

_VIEW, _WITH_SIDES = "80", "80-sides"


@dataclass(frozen=True)
class Truth:
    """What reports said: labels by scan, and the lungs that were named with them.

    A scan that is not in `labels` has no report that could be read.
    """

    labels: Mapping[str, frozenset[str]]
    lungs: Mapping[str, Mapping[str, list[str]]]
    every_scan: bool


@cache
def read_truth(path: Path, labels: tuple[str, ...]) -> Truth:
    """A file of `hirescam label`, in the long format or with a column for each label.

    Raises `ReadError` if it says nothing of one of the model's labels.
    """
    found = read_labels(path, view=read_view(_VIEW))
    unknown = sorted(set(labels) - set(found.labels or ()))
    if unknown:
        raise ReadError(
            f"{path.name} has no label {unknown[0]!r} ({len(unknown)} are missing): write it "
            f"with `hirescam label MANIFEST`, or give a column for each label of the model"
        )
    is_long = found.reports is None
    sided = read_labels(path, view=read_view(_WITH_SIDES)).given if is_long else {}
    readable = {scan: said for scan, said in found.given.items() if scan not in found.refused}
    lungs = {scan: sides(said) for scan, said in sided.items()}
    return Truth(readable, lungs, every_scan=not is_long)


def case_of(entry: Entry, truth: Truth, labels: tuple[str, ...]) -> Case:
    """A scan with its labels. Raises `ReadError` if the file does not know them."""
    said = truth.labels.get(entry.id)
    if said is None and truth.every_scan:
        raise ReadError(f"{entry.id} has no labels: add its row, or leave the scan out")
    values = {label: float(label in (said or ())) for label in labels}
    told = truth.lungs.get(entry.id, {})
    found = case(entry.id, entry.path, anatomy_of(labels), values, told)
    return replace(found, organs=entry.organs, series=entry.series)


OUTCOME, VALID = "outcome.npz", "valid"


@dataclass(frozen=True)
class Evaluating:
    """A model, what is true of the scans, and where prepared ones are kept."""

    model: Path
    model_sha256: str
    truth: Path
    truth_sha256: str
    cache: Path
    downsampling: Downsampling = "centre"
    definition: Definition = "paper"
    threads: int = 1

    name = "evaluate"

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that decides the outcome of a scan."""
        return {
            "torch": torch.__version__,
            "model_sha256": self.model_sha256,
            "truth_sha256": self.truth_sha256,
            "downsampling": self.downsampling,
            "definition": self.definition,
            "threads": self.threads,
        }

    def __call__(self, entry: Entry, folder: Path) -> None:
        """Write outcome.npz."""
        torch.set_num_threads(self.threads)
        model = _model(self.model)
        case = case_of(entry, read_truth(self.truth, model.labels), model.labels)
        outcomes = evaluate(
            model,
            [case],
            self.cache,
            downsampling=self.downsampling,
            definition=self.definition,
        )
        save_outcomes(outcomes, folder / OUTCOME)


def evaluating(model: Path, truth: Path, cache: Path, **options: Any) -> Evaluating:
    """The step for a model file and a file of labels, both read once to see that they fit."""
    loaded = load_model(model)
    read_truth(truth, loaded.labels)
    return Evaluating(
        model.absolute(),
        loaded.sha256,
        truth.absolute(),
        digest(truth),
        cache.absolute(),
        **options,
    )


def write_page(
    entries: Sequence[Entry], split: str, out: Path, *, title: str, notes: Sequence[str] = ()
) -> Path:
    """The evaluation of a split's scans in `out`/evaluation, of those that have an outcome.

    Thresholds are those of validation scans; of a manifest without splits all scans are
    measured, and thresholds are chosen on them.
    """
    of_split = {
        name: [each for each in entries if each.split == name] for name in (VALID, split)
    }
    measured = of_split[split] or entries
    elsewhere = split != VALID and bool(of_split[split])
    outcomes = _gathered(measured, out)
    lost = len(measured) - len(outcomes.scans)
    if lost:
        notes = (*notes, f"{lost} of {len(measured)} scans have no outcome: see ledger.csv.")
    folder = write_evaluation(
        outcomes,
        out / "evaluation",
        valid=_gathered(of_split[VALID], out) if elsewhere else None,
        title=title,
        notes=notes,
        overwrite=True,
    )
    return folder / "evaluation.html"


def needed(entries: Sequence[Entry], split: str) -> list[Entry]:
    """The scans to measure a split on: its own and, for thresholds, valid ones."""
    return [entry for entry in entries if entry.split in ("", VALID, split)]


def _gathered(entries: Sequence[Entry], out: Path) -> Outcomes:
    """What was kept of some scans, those left out that have nothing."""
    paths = [result_folder(out, entry.id) / OUTCOME for entry in entries]
    kept = [load_outcomes(path) for path in paths if path.exists()]
    if not kept:
        raise ReadError(
            f"none of {len(entries)} scans has an outcome in {out}: its ledger.csv says why"
        )
    return joined(kept)


@cache
def _model(path: Path) -> Model:
    return load_model(path)
