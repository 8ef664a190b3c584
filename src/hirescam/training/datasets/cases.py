"""Cases: the scans of a data set with what is known of them, by split."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32

from hirescam.anatomy import LIES_IN, ORGANS
from hirescam.errors import ReadError
from hirescam.regions.allowed import organs_of
from hirescam.training.datasets.rows import Row, rows

SPLITS = ("train", "valid", "test")
SCAN_SUFFIXES = (".nii.gz", ".nii", ".npz", ".npy", ".nrrd", ".mha", ".zip")
Anatomy = Mapping[str, tuple[str, ...]]
"""The labels of a data set in their order, and the organs in which each can lie."""

_ID_COLUMNS = ("id", "NoteAcc_DEID", "VolumeAcc_DEID", "Accession", "VolumeName")


@dataclass(frozen=True, eq=False)
class Case:
    """One scan: its labels (1, 0, NaN for unknown) and the organs in which each may lie.

    `series` is the UID of the one that is meant, where `scan` holds several.
    """

    id: str
    scan: Path
    labels: Float32[np.ndarray, "label"]
    places: Bool[np.ndarray, "label organ"]
    organs: Path | None = None
    series: str | None = None


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
    told: Mapping[str, list[str]],
) -> Case:
    """A case from its known labels and the organs that its report told of present ones.

    A label of which no possible organ was told may lie in each of them.
    """
    known = np.array([values.get(label, np.nan) for label in anatomy], np.float32)
    organs = [
        [organ for organ in told.get(label, ()) if organ in possible] or possible
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


def _all(cases: Cases) -> Iterable[Case]:
    return (each for of_split in cases.splits.values() for each in of_split)


def _name(row: Row, table: Path) -> str:
    for column in _ID_COLUMNS:
        if column in row:
            return row[column]
    raise ReadError(
        f"{table.name} has no column that names scans, expected one of {', '.join(_ID_COLUMNS)}"
    )
