"""LabelTable: one row per finding of a report, with its place, its status and its words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Status(StrEnum):
    """What a report says of a finding; a finding without a row is not mentioned."""

    PRESENT = "present"
    ABSENT = "absent"
    UNCERTAIN = "uncertain"


_STRONGEST_FIRST = (Status.PRESENT, Status.UNCERTAIN, Status.ABSENT)


@dataclass(frozen=True, order=True)
class Finding:
    """One abnormality at one location of one report, and the words that said so.

    `location` is empty where the report names none. `start` and `end` index into the text as it
    was given: `text[start:end]` is the evidence.
    """

    report: str
    abnormality: str
    location: str
    status: Status
    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Labelled:
    """One report's findings in the order of its text; or why it could not be labelled."""

    report: str
    findings: tuple[Finding, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class LabelTable:
    """Labels of many reports: `table["report-17"]` gives the findings of one.

    `reports` also names those without a finding; `refused` those that could not be labelled,
    and why. `profile` and `version` say by which vocabulary.
    """

    reports: tuple[str, ...]
    findings: tuple[Finding, ...]
    refused: Mapping[str, str]
    profile: str
    version: str
    _by_report: Mapping[str, tuple[Finding, ...]] = field(repr=False, compare=False)

    def __getitem__(self, report: str) -> tuple[Finding, ...]:
        return self._by_report[report]

    def __len__(self) -> int:
        return len(self.reports)


def tabulate(labelled: Iterable[Labelled], *, profile: str, version: str) -> LabelTable:
    """Reports put into one table; findings of reports that share a name stand together."""
    by_report: dict[str, tuple[Finding, ...]] = {}
    refused: dict[str, str] = {}
    for one in labelled:
        if one.problem:
            refused[one.report] = one.problem
        else:
            by_report[one.report] = (*by_report.get(one.report, ()), *one.findings)
    return LabelTable(
        reports=tuple(by_report),
        findings=tuple(finding for findings in by_report.values() for finding in findings),
        refused=refused,
        profile=profile,
        version=version,
        _by_report=by_report,
    )


def strongest(statuses: Iterable[Status]) -> Status | None:
    """What statuses of one label say together: present wins over uncertain, then absent."""
    said = set(statuses)
    return next((status for status in _STRONGEST_FIRST if status in said), None)
