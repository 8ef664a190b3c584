"""Table: what became of each scan of a cohort, as ledger.csv."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from hirescam.atomic import atomic_write
from hirescam.cohort.attempt import Attempt, Status
from hirescam.cohort.manifest import Entry

TABLE = "ledger.csv"
_COLUMNS = (
    *("id", "split", "status", "tries", "seconds", "peak_memory_mib", "error", "reason"),
    *("code", "key", "result", "host", "at"),
)


def write_table(
    out: Path, entries: Iterable[Entry], tries: Mapping[str, Sequence[Attempt]]
) -> Path:
    """One row for each scan of the manifest: how its last try ended, and after how many.

    A scan that was begun and never ended was interrupted; one without a try is waiting.
    """
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, _COLUMNS, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    for entry in entries:
        table.writerow(_row(entry, tries.get(entry.id, ())))
    path = out / TABLE
    with atomic_write(path) as file:
        file.write(text.getvalue().encode())
    return path


def _row(entry: Entry, tries: Sequence[Attempt]) -> dict[str, object]:
    row: dict[str, object] = {"id": entry.id, "split": entry.split, "status": "waiting"}
    if tries:
        row |= vars(tries[-1])
        row["tries"] = sum(each.status is Status.started for each in tries)
        if tries[-1].status is Status.started:
            row["status"] = "interrupted"
    return row
