"""A folder that `hirescam simulate` wrote: scans, labels with their places, splits."""

from pathlib import Path

from hirescam.errors import ReadError
from hirescam.reports.views import read_view
from hirescam.training.datasets.cases import SPLITS, Case, Cases, anatomy_of, case, scans_in
from hirescam.training.datasets.rows import findings, number, rows, sides


def read(folder: Path, labels: tuple[str, ...], view: str) -> Cases:
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
        told = sides(sided.see(findings(row)))
        splits[split_of[id]].append(case(id, scans[id], anatomy, values, told))
    return Cases(anatomy, {split: tuple(of) for split, of in splits.items()}, absent)
