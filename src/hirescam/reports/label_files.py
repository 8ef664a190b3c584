"""Label files: labels read from files, ours or manual, and written with what made them."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from hirescam.atomic import atomic_files
from hirescam.errors import ReadError, WriteError
from hirescam.parsing import read_json
from hirescam.printable import table_cell
from hirescam.reports.files import Row, parquet, read_rows
from hirescam.reports.table import Finding, Labelled, Status, strongest
from hirescam.reports.views import View, published_names

_FINDING = ("report", "abnormality", "location", "status")
_CELLS = {"": 0, "None": 0, "0": 0, "0.0": 0, "1": 1, "1.0": 1, "-1": -1, "-1.0": -1}


@dataclass(frozen=True)
class Labels:
    """Labels that reports have; what is not in `given[report]` is absent or not mentioned.

    `reports` and `labels` are None where the file does not list them all: a long file has no
    row for a report without findings. `refused` reports could not be labelled.
    """

    given: dict[str, frozenset[str]]
    reports: tuple[str, ...] | None
    labels: tuple[str, ...] | None
    refused: frozenset[str]
    made_by: str


def read_labels(
    path: Path,
    *,
    uncertain: Status = Status.PRESENT,
    view: View | None = None,
    places: bool = False,
) -> Labels:
    """Read labels of hirescam's or manual ones: a row per finding, or a row per report.

    A row per finding has the columns report, abnormality, location and status, and becomes the
    labels of `view`, or its abnormalities, or with `places` each abnormality*location. Of a row
    per report the first column is its name, and every column that only holds 0, 1, -1
    (uncertain) or nothing is a label; its name loses "_Label", capitals and spaces.

    Raises `ReadError` for a file that is neither.
    """
    rows = list(read_rows(path))
    if not rows:
        raise ReadError(f"{path.name} holds no labels: it has no rows")
    if set(_FINDING) <= set(rows[0]):
        given = _from_findings(rows, uncertain, view, places=places)
        reports, labels = None, view.labels if view else None
    else:
        given, labels = _from_table(path, rows, uncertain)
        reports = tuple(given)
    return Labels(given, reports, labels, frozenset(_refused(path)), _made_by(path))


def _from_findings(
    rows: list[Row], uncertain: Status, view: View | None, *, places: bool
) -> dict[str, frozenset[str]]:
    by_report: dict[str, list[Finding]] = {}
    for row in rows:
        report, abnormality, location, status = (str(row[name] or "") for name in _FINDING)
        finding = Finding(report, abnormality, location, Status(status), 0, 0, "")
        by_report.setdefault(report, []).append(finding)
    return {
        report: frozenset(
            _plain(label)
            for label, status in _statuses(findings, view, places=places).items()
            if (uncertain if status is Status.UNCERTAIN else status) is Status.PRESENT
        )
        for report, findings in by_report.items()
    }


def _statuses(findings: list[Finding], view: View | None, *, places: bool) -> dict[str, Status]:
    if view:
        return view.see(findings)
    said: dict[str, set[Status]] = {}
    for row in findings:
        name = f"{row.abnormality}*{row.location}" if places else row.abnormality
        said.setdefault(name, set()).add(row.status)
    return {name: status for name, of in said.items() if (status := strongest(of))}


def _from_table(
    path: Path, rows: list[Row], uncertain: Status
) -> tuple[dict[str, frozenset[str]], tuple[str, ...]]:
    name, *columns = rows[0]
    labels = [column for column in columns if all(str(row[column]) in _CELLS for row in rows)]
    if not labels:
        raise ReadError(
            f"{path.name} is no file of labels: none of its columns holds only 0, 1, -1 or "
            f"nothing, and it has no columns {', '.join(_FINDING)}"
        )
    positive = {1, -1} if uncertain is Status.PRESENT else {1}
    given = {
        str(row[name]): frozenset(
            _plain(label) for label in labels if _CELLS[str(row[label])] in positive
        )
        for row in rows
    }
    return given, tuple(map(_plain, labels))


def _plain(label: str) -> str:
    return label.removesuffix("_Label").lower().replace(" ", "_")


def _refused(path: Path) -> Iterator[str]:
    errors = path.with_name(path.name + ".errors.csv")
    if errors.is_file():
        yield from (str(row["report"]) for row in read_rows(errors))


def _made_by(path: Path) -> str:
    about = path.with_name(path.name + ".json")
    if not about.is_file():
        return "made elsewhere"
    try:
        made = read_json(about)
        return f"profile {made['profile']}, vocabulary {made['vocabulary']}"
    except (ValueError, KeyError, TypeError):
        return f"made by something that {about.name} does not tell"


Cell = int | None
Cells = tuple[str | Cell, ...]
_LONG = (*(field.name for field in fields(Finding)), "set")
_BATCH_ROWS = 2048


@dataclass(frozen=True)
class Counting:
    """What a view writes beside 1 for present and 0 for absent.

    -1 for uncertain is the convention of CheXpert, 0 for not mentioned that of RAD-ChestCT;
    None leaves the cell blank.
    """

    uncertain: Cell = 1
    unmentioned: Cell = 0

    def cell(self, status: Status | None) -> Cell:
        """The number for a status; None is not mentioned."""
        known = {Status.PRESENT: 1, Status.ABSENT: 0, Status.UNCERTAIN: self.uncertain}
        return self.unmentioned if status is None else known[status]


@dataclass(frozen=True)
class Written:
    """How much was written."""

    reports: int = 0
    findings: int = 0
    refused: int = 0


def write_labels(
    labelled: Iterable[Labelled],
    out: Path,
    *,
    made_by: Mapping[str, Any],
    view: View | None = None,
    counting: Counting | None = None,
) -> Written:
    """Write one row per finding, or with a `view` one row per report, to a .csv or .parquet.

    Beside it `<out>.json` holds `made_by` and how much there is, and `<out>.errors.csv` names
    the reports that were refused, and why, if there are any. They appear whole or not at all,
    and the same labels give the same bytes.

    Raises `WriteError` if the name ends in neither, or the disk refuses.
    """
    if out.suffix not in _TABLES:
        raise WriteError(f"{out.name} ends in {out.suffix!r}: choose .csv or .parquet")
    columns = (view.report_column, *view.labels) if view else _LONG
    cells = partial(_seen, view, counting or Counting()) if view else _listed
    about, errors = (out.with_name(out.name + ending) for ending in (".json", ".errors.csv"))
    reports = findings = refused = 0
    with atomic_files(out, about, errors) as parts:
        with (
            _TABLES[out.suffix](parts[out], columns, made_by) as write,
            _csv_table(parts[errors], ("report", "problem"), {}) as write_error,
        ):
            for one in labelled:
                if one.problem:
                    write_error([(one.report, one.problem)])
                    refused += 1
                else:
                    write(cells(one))
                    reports += 1
                    findings += len(one.findings)
        written = Written(reports, findings, refused)
        if not refused:
            parts[errors].unlink()
        text = json.dumps({**made_by, **asdict(written)}, indent=2, ensure_ascii=False)
        parts[about].write_text(text + "\n", encoding="utf-8")
    return written


def _listed(one: Labelled) -> list[Cells]:
    return [
        (
            row.report,
            row.abnormality,
            row.location,
            row.status,
            row.start,
            row.end,
            row.text,
            "published" if row.abnormality in published_names() else "finer",
        )
        for row in one.findings
    ]


def _seen(view: View, counting: Counting, one: Labelled) -> list[Cells]:
    seen = view.see(one.findings)
    return [(one.report, *(counting.cell(seen.get(label)) for label in view.labels))]


@contextmanager
def _csv_table(
    path: Path, columns: tuple[str, ...], made_by: Mapping[str, Any]
) -> Iterator[Callable[[list[Cells]], None]]:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        yield lambda rows: writer.writerows([map(table_cell, row) for row in rows])


@contextmanager
def _parquet_table(
    path: Path, columns: tuple[str, ...], made_by: Mapping[str, Any]
) -> Iterator[Callable[[list[Cells]], None]]:
    """A Parquet file whose metadata hold `made_by` under the key "hirescam"."""
    module = parquet()
    import pyarrow as pa

    numbers = pa.int32() if columns == _LONG else pa.int8()
    words = {columns[0], "abnormality", "location", "status", "text", "set"}
    schema = pa.schema(
        [(name, pa.string() if name in words else numbers) for name in columns],
        metadata={"hirescam": json.dumps(dict(made_by))},
    )
    waiting = list[Cells]()

    def flush() -> None:
        rows = [dict(zip(columns, row, strict=True)) for row in waiting]
        file.write_table(pa.Table.from_pylist(rows, schema))
        waiting.clear()

    def write(rows: list[Cells]) -> None:
        waiting.extend(rows)
        if len(waiting) >= _BATCH_ROWS:
            flush()

    with module.ParquetWriter(path, schema) as file:
        yield write
        flush()


_TABLES = {".csv": _csv_table, ".parquet": _parquet_table}
