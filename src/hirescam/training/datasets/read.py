"""read_cases: the cases that a config names; a plain CSV, a simulated folder, or a public set.

A plain CSV has columns id, path, split, one per label, and perhaps organs and series. A cell is
1, 0, or empty where the label is unknown. `path` is relative to the table. A column
`lung_nodule*left_lung` tells that the nodule lies in the left lung; a column `organs` gives
the path of organ masks, a column `series` the UID of the one to read where there are several.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hirescam.anatomy import LIES_IN, ORGANS
from hirescam.errors import ReadError, TargetError
from hirescam.reports.views import read_view
from hirescam.training.config import TrainConfig
from hirescam.training.datasets import ct_rate, rad_chestct
from hirescam.training.datasets.cases import (
    SPLITS,
    Case,
    Cases,
    Row,
    anatomy_of,
    case,
    chosen,
    findings,
    number,
    rows,
    scans_in,
    sides,
    with_lesions,
    with_organs,
)


def read_csv(
    table: Path, labels: tuple[str, ...], view: str, groups: str | None = None
) -> Cases:
    """The cases of a plain table; `view` is of no use to it, `groups` is a column of it."""
    anatomy = anatomy_of(labels)
    splits: dict[str, list[Case]] = {split: [] for split in SPLITS}
    absent = 0
    for line, row in enumerate(rows(table), start=2):
        _check(table, line, row, labels)
        scan = table.parent / row["path"]
        if not scan.exists():
            absent += 1
            continue
        values = {label: number(row, label) for label in labels}
        reported = {
            label: [each for each in ORGANS if row.get(f"{label}*{each}") in ("1", "1.0")]
            for label in labels
        }
        one = case(row["id"], scan, anatomy, values, reported)
        masks = row.get("organs")
        organs = table.parent / masks if masks else None
        series = row.get("series") or None
        group = _group(table, row, groups)
        splits[row["split"]].append(replace(one, organs=organs, series=series, group=group))
    return Cases(anatomy, {split: tuple(of) for split, of in splits.items()}, absent)


def _group(table: Path, row: Row, column: str | None) -> str | None:
    if column is not None and column not in row:
        raise ReadError(f"{table.name} has no column {column!r}: name another in `groups`")
    return None if column is None else row[column]


def _check(table: Path, line: int, row: Row, labels: tuple[str, ...]) -> None:
    missing = [name for name in ("id", "path", "split", *labels) if name not in row]
    if missing:
        raise ReadError(
            f"{table.name} has no column {missing[0]!r} ({len(missing)} are missing): add it, "
            f"or name the labels that there are in `labels`"
        )
    if row["split"] not in SPLITS:
        raise ReadError(
            f"line {line} of {table.name} has split {row['split']!r}, expected one of "
            f"{', '.join(SPLITS)}"
        )


def read_simulated(folder: Path, labels: tuple[str, ...], view: str) -> Cases:
    """The cases of a simulated data set; its labels are the truth, whatever the `view`."""
    anatomy = anatomy_of(labels)
    scans, sided = scans_in(folder / "scans"), read_view("80-sides")
    split_of = {row["id"]: row["split"] for row in rows(folder / "splits.csv")}
    splits: dict[str, list[Case]] = {split: [] for split in SPLITS}
    absent = 0
    for row in rows(folder / "labels.csv"):
        unknown = [label for label in labels if label not in row]
        if unknown:
            raise ReadError(f"labels.csv has no label {unknown[0]!r}: leave it out of `labels`")
        id = row["id"]
        if id not in scans:
            absent += 1
            continue
        values = {label: number(row, label) for label in labels}
        reported = sides(sided.see(findings(row)))
        splits[split_of[id]].append(case(id, scans[id], anatomy, values, reported))
    return Cases(anatomy, {split: tuple(of) for split, of in splits.items()}, absent)


LAYOUTS: dict[str, Callable[[Path, tuple[str, ...], str], Cases]] = {
    "csv": read_csv,
    "simulated": read_simulated,
    "rad-chestct": rad_chestct.read,
    "ct-rate": ct_rate.read,
}


def read_cases(config: TrainConfig) -> Cases:
    """Scans, labels and places of a data set, by split.

    Raises `ReadError` if it is not there, not in its layout, or has nothing to train on.
    """
    if not config.data.exists():
        raise ReadError(f"there is no {config.data}: set `data` to where the data set lies")
    if config.layout == "csv":
        cases = read_csv(config.data, config.labels, config.view, config.groups)
    else:
        cases = LAYOUTS[config.layout](config.data, config.labels, config.view)
    if config.subset is not None:
        cases = chosen(cases, config.subset)
    if config.organs is not None:
        cases = with_organs(cases, config.organs)
    if config.lesions is not None:
        cases = with_lesions(cases, config.lesions)
    if config.region_losses or config.needs_inside:
        _check_places(cases)
    for split in ("train", "valid"):
        if not cases.splits[split]:
            raise ReadError(
                f"no scan of {config.data.name} is in split {split} ({cases.absent} rows have "
                f"no scan file): check `data`, `layout` and `subset`"
            )
    return cases


def _check_places(cases: Cases) -> None:
    nowhere = [label for label, organs in cases.anatomy.items() if not organs]
    if nowhere:
        raise TargetError(
            f"label {nowhere[0]!r} does not say where it lies, which this training must know: "
            f"begin it with one of {', '.join(f'{place}_' for place in LIES_IN)}"
        )
