"""Labelled files: the labels that a file gives to each report, ours or made by hand."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hirescam.errors import ReadError
from hirescam.parsing import read_json
from hirescam.reports.files import Row, read_rows
from hirescam.reports.table import Finding, Status, strongest
from hirescam.reports.views import View

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
