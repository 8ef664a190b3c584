"""Truth: the labels that a file gives to the scans of a cohort, as the cases of a model."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from hirescam.cohort.manifest import Entry
from hirescam.errors import ReadError
from hirescam.reports.label_files import read_labels
from hirescam.reports.views import read_view
from hirescam.training.datasets.cases import Case, anatomy_of, case, sides

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
