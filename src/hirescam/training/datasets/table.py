"""A plain CSV: id, path, split, one column per label, and perhaps organs and series.

A cell is 1, 0, or empty where the label is unknown. `path` is relative to the table. A column
`lung_nodule*left_lung` tells that the nodule lies in the left lung; a column `organs` gives
the path of organ masks, a column `series` the UID of the one to read where there are several.
"""

from dataclasses import replace
from pathlib import Path

from hirescam.anatomy import ORGANS
from hirescam.errors import ReadError
from hirescam.training.datasets.cases import SPLITS, Case, Cases, anatomy_of, case
from hirescam.training.datasets.rows import Row, number, rows


def read(table: Path, labels: tuple[str, ...], view: str) -> Cases:
    """The cases of a plain table; `view` is of no use to it."""
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
        told = {
            label: [each for each in ORGANS if row.get(f"{label}*{each}") in ("1", "1.0")]
            for label in labels
        }
        one = case(row["id"], scan, anatomy, values, told)
        masks = row.get("organs")
        organs = table.parent / masks if masks else None
        series = row.get("series") or None
        splits[row["split"]].append(replace(one, organs=organs, series=series))
    return Cases(anatomy, {split: tuple(of) for split, of in splits.items()}, absent)


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
