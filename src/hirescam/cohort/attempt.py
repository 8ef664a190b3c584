"""Attempt: what came of one try at one scan; one line of a ledger."""

from dataclasses import dataclass
from enum import StrEnum


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
    repeats the words of an error that may quote what a scan says of its patient.
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
