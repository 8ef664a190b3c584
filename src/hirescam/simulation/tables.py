"""Tables: what is known of a whole data set, one row for each chest."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from hirescam.anatomy import LABELS
from hirescam.atomic import atomic_write


def write_tables(out: Path, records: Sequence[Mapping]) -> None:
    """reports.csv, labels.csv, shortcuts.csv and splits.csv from the records of all chests.

    Columns of places are those that any chest of the data set has.
    """
    cells = sorted({cell for record in records for cell in record["cells"]})
    shortcuts = sorted({name for record in records for name in record["shortcuts"]})
    _write_csv(
        out / "reports.csv",
        ("id", "report"),
        ((each["id"], each["report"]) for each in records),
    )
    _write_csv(out / "splits.csv", ("id", "split"), ((r["id"], r["split"]) for r in records))
    _write_csv(
        out / "labels.csv",
        ("id", *LABELS, *cells),
        (
            (
                each["id"],
                *(int(label in each["labels"]) for label in LABELS),
                *(int(cell in each["cells"]) for cell in cells),
            )
            for each in records
        ),
    )
    _write_csv(
        out / "shortcuts.csv",
        ("id", *shortcuts),
        ((each["id"], *(int(each["shortcuts"][s]) for s in shortcuts)) for each in records),
    )


def _write_csv(path: Path, names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(names)
    table.writerows(rows)
    with atomic_write(path) as file:
        file.write(text.getvalue().encode())
