"""RAD-ChestCT as published: three tables of abnormality × location, and one NPZ per scan.

All of the release or any part of it, such as the public tenth: rows without a scan are passed
over. With `all_identifiers.csv`, as its authors have it, validation is `imgvalid_a` alone.
Draelos et al., Medical Image Analysis 67, 2021; https://doi.org/10.5281/zenodo.6406114
"""

from pathlib import Path

from hirescam.errors import ReadError
from hirescam.reports.views import read_view
from hirescam.training.datasets.cases import (
    Case,
    Cases,
    anatomy_of,
    case,
    findings,
    rows,
    scans_in,
    sides,
)

TABLES = {
    split: f"img{split}_Abnormality_and_Location_Labels.csv"
    for split in ("train", "valid", "test")
}
IDENTIFIERS = "all_identifiers.csv"
UNUSED = frozenset({"imgvalid_b"})


def read(folder: Path, labels: tuple[str, ...], view: str) -> Cases:
    """The cases of a folder that holds the tables and, at any depth, the scans."""
    seen, sided = read_view(view), read_view("80-sides")
    unknown = [label for label in labels if label not in seen.labels]
    if unknown:
        raise ReadError(f"view {view} has no label {unknown[0]!r}: choose among its labels")
    anatomy = anatomy_of(labels)
    scans, unused = scans_in(folder), _unused(folder / IDENTIFIERS)
    splits: dict[str, tuple[Case, ...]] = {}
    absent = 0
    for split, name in TABLES.items():
        cases = []
        for row in rows(_table(folder, name)):
            id = next(iter(row.values()))
            if id in unused:
                continue
            if id not in scans:
                absent += 1
                continue
            found = findings(row)
            values = dict.fromkeys(labels, 0.0) | dict.fromkeys(seen.see(found), 1.0)
            cases.append(case(id, scans[id], anatomy, values, sides(sided.see(found))))
        splits[split] = tuple(cases)
    return Cases(anatomy, splits, absent)


def _table(folder: Path, name: str) -> Path:
    found = sorted(folder.rglob(name))
    if not found:
        raise ReadError(f"{folder.name} holds no {name}: give the folder of RAD-ChestCT")
    return found[0]


def _unused(table: Path) -> frozenset[str]:
    if not table.exists():
        return frozenset()
    return frozenset(
        row["Accession"] for row in rows(table) if row["Subset_Assigned"] in UNUSED
    )
