"""Cases: the scans of a data set and what is known of them, by split; rows of its tables."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32

from hirescam.anatomy import LIES_IN, ORGANS
from hirescam.errors import ReadError
from hirescam.regions.allowed import organs_of
from hirescam.reports.table import Finding, Status

Row = dict[str, str]
_ABSENT = frozenset({"", "0", "0.0", "0.00"})


def rows(path: Path) -> Iterator[Row]:
    """Each row of a CSV file with a header."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            yield from csv.DictReader(file)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ReadError(f"{path.name} is no CSV table in UTF-8 ({error}): check it") from error


def number(row: Row, column: str) -> float:
    """1 present, 0 absent, NaN unknown: an empty cell."""
    text = (row[column] or "").strip()
    try:
        value = float(text or "nan")
    except ValueError:
        value = -1.0
    if value not in (0, 1) and value == value:
        raise ReadError(f"column {column} holds {text!r}, expected 1, 0 or nothing")
    return value


def findings(row: Row) -> list[Finding]:
    """What the columns `abnormality*location` of a row say is present."""
    said = []
    present = (column for column, value in row.items() if value not in _ABSENT)
    for abnormality, star, location in (column.partition("*") for column in present):
        if star:
            place = "" if location == "other_location" else location
            said.append(Finding("", abnormality, place, Status.PRESENT, 0, 0, ""))
    return said


def sides(statuses: Iterable[str]) -> dict[str, list[str]]:
    """Of labels with sides, as in the view 80-sides: each lung label and its lungs."""
    reported = sorted(
        (f"lung_{rest}", f"{side}_lung")
        for side, lung, rest in (label.partition("_lung_") for label in statuses)
        if lung
    )
    return {
        label: [organ for _, organ in of_label]
        for label, of_label in groupby(reported, key=lambda pair: pair[0])
    }


SPLITS = ("train", "valid", "test")
SCAN_SUFFIXES = (".nii.gz", ".nii", ".npz", ".npy", ".nrrd", ".mha", ".zip")
Anatomy = Mapping[str, tuple[str, ...]]
"""The labels of a data set in their order, and the organs in which each can lie."""

_ID_COLUMNS = ("id", "NoteAcc_DEID", "VolumeAcc_DEID", "Accession", "VolumeName")


@dataclass(frozen=True, eq=False)
class Case:
    """One scan: its labels (1, 0, NaN for unknown) and the organs in which each may lie.

    `series` is the UID of the one that is meant, where `scan` holds several. `lesions` holds
    a mask for each present label; `group` names a group of scans, such as a scanner.
    """

    id: str
    scan: Path
    labels: Float32[np.ndarray, "label"]
    places: Bool[np.ndarray, "label organ"]
    organs: Path | None = None
    series: str | None = None
    lesions: Path | None = None
    group: str | None = None


@dataclass(frozen=True, eq=False)
class Cases:
    """All cases of a data set, in the order of its tables; `absent` rows had no scan."""

    anatomy: Anatomy
    splits: Mapping[str, tuple[Case, ...]]
    absent: int = 0

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.anatomy)


def anatomy_of(labels: Iterable[str]) -> Anatomy:
    """What the names of labels tell of where they can lie: perhaps nothing."""
    lies_in = {**LIES_IN, "right_lung": ("right_lung",), "left_lung": ("left_lung",)}
    return {label: organs_of(label, lies_in) for label in labels}


def case(
    id: str,
    scan: Path,
    anatomy: Anatomy,
    values: Mapping[str, float],
    reported: Mapping[str, list[str]],
) -> Case:
    """A case from its known labels and the organs that its report names for present ones.

    A label without a possible reported organ may lie in each of its organs.
    """
    known = np.array([values.get(label, np.nan) for label in anatomy], np.float32)
    organs = [
        [organ for organ in reported.get(label, ()) if organ in possible] or possible
        for label, possible in anatomy.items()
    ]
    return Case(id, scan, known, _among(organs) & (known == 1)[:, None])


def possible_organs(anatomy: Anatomy) -> Bool[np.ndarray, "label organ"]:
    """In which organs each label can lie."""
    return _among(anatomy.values())


def _among(organs: Iterable[Iterable[str]]) -> Bool[np.ndarray, "label organ"]:
    return np.array([[organ in each for organ in ORGANS] for each in map(set, organs)])


def scans_in(folder: Path) -> dict[str, Path]:
    """Every scan file below a folder, by its name without suffix."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if (name := stem(path.name)) != path.name:
            found[name] = path
    return found


def stem(name: str) -> str:
    """The name of a scan file without the suffix that tells its format."""
    for suffix in SCAN_SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def chosen(cases: Cases, subset: Path) -> Cases:
    """The cases that a table names in one of the columns that data sets name scans in."""
    names = {stem(_name(row, subset)) for row in rows(subset)}
    splits = {
        split: tuple(each for each in of_split if each.id in names)
        for split, of_split in cases.splits.items()
    }
    return replace(cases, splits=splits)


def with_organs(cases: Cases, folder: Path) -> Cases:
    """The cases with their organ masks, which bear their ids in `folder`."""
    masks = scans_in(folder)
    missing = [each.id for each in _all(cases) if each.id not in masks]
    if missing:
        raise ReadError(
            f"{folder.name} lacks organ masks of {len(missing)} of {len(list(_all(cases)))} "
            f"scans: write them with `hirescam segment`, or leave `organs` out"
        )
    splits = {
        split: tuple(replace(each, organs=masks[each.id]) for each in of_split)
        for split, of_split in cases.splits.items()
    }
    return replace(cases, splits=splits)


def with_lesions(cases: Cases, folder: Path) -> Cases:
    """The cases with their lesion masks, as far as `folder` holds <id>.npz or <id>/."""

    def masks(each: Case) -> Path | None:
        candidates = (folder / f"{each.id}.npz", folder / each.id)
        return next((path for path in candidates if path.exists()), None)

    splits = {
        split: tuple(replace(each, lesions=masks(each)) for each in of_split)
        for split, of_split in cases.splits.items()
    }
    found = replace(cases, splits=splits)
    if not any(each.lesions for each in _all(found)):
        raise ReadError(
            f"{folder.name} holds no lesion masks of these scans: expected <id>/<label>.nii.gz"
        )
    return found


def _all(cases: Cases) -> Iterable[Case]:
    return (each for of_split in cases.splits.values() for each in of_split)


def _name(row: Row, table: Path) -> str:
    for column in _ID_COLUMNS:
        if column in row:
            return row[column]
    raise ReadError(
        f"{table.name} has no column that names scans, expected one of {', '.join(_ID_COLUMNS)}"
    )
