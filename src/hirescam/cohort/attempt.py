"""Attempt: what came of one try at one scan; one line of a ledger."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """How far a try came."""

    started = "started"
    done = "done"
    failed = "failed"
    killed = "killed"


@dataclass(frozen=True)
class Attempt:
    """One try: what it cost, and what stopped it if anything did.

    `key` is a hash of the input, the settings and the `code`; `result` one of the files made.
    `reason` is a sentence for people, `traceback` the lines of code for developers: neither
    repeats the words of an error that may quote what a scan says of its patient. `run` counts
    the runs of a cohort: with the place of a line in its file it tells what came last, whatever
    the clocks of the machines say. `files` are the names and sizes of what was made.
    """

    id: str
    status: Status
    key: str = ""
    code: str = ""
    result: str = ""
    seconds: float | None = None
    peak_memory_mib: float | None = None
    error: str = ""
    reason: str = ""
    traceback: str = ""
    host: str = ""
    at: str = ""
    run: int = 0
    files: Mapping[str, int] = field(default_factory=dict)


def parse_attempt(line: Any) -> Attempt:
    """The attempt of a ledger's line. Raises `ValueError` if it has another shape."""
    if not isinstance(line, dict):
        raise ValueError("is no table of values")
    strange = sorted(line.keys() - {each.name for each in fields(Attempt)})
    if strange:
        raise ValueError(f"has {strange[0]!r}, as of a newer hirescam")
    words = ("id", "key", "code", "result", "error", "reason", "traceback", "host", "at")
    if any(not isinstance(line.get(name, ""), str) for name in words) or not line.get("id"):
        raise ValueError("lacks an id, or holds something else than words")
    files = line.get("files", {})
    if not isinstance(files, dict) or not isinstance(line.get("run", 0), int):
        raise ValueError("holds something else than files and the number of a run")
    values: dict[str, Any] = line | {"status": Status(str(line.get("status")))}
    return Attempt(**values)
