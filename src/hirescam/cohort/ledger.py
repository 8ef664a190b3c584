"""Ledger: one line for each attempt at each scan of a cohort, and the table made of them.

A shard appends to a ledger of its own. An attempt tells what it cost, and what stopped it if
anything did, without words about a patient; ledger.csv tells what became of each scan.
"""

import csv
import errno
import io
import json
import os
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

from hirescam.atomic import atomic_write, lock_file
from hirescam.cohort.manifest import Entry, Shard
from hirescam.errors import HirescamError, ReadError, WriteError
from hirescam.printable import table_cell


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


def reason(error: BaseException) -> str:
    """A sentence that may be kept: our own errors name no patient, others might."""
    if isinstance(error, HirescamError):
        return str(error)
    return (
        f"{type(error).__name__}, which should not happen: its traceback is in the ledger; "
        f"report it"
    )


def trace(error: BaseException) -> str:
    """The traceback of an error and of those that it arose from, the first of them first."""
    return "\n".join(reversed([_of_one(each) for each in _chain(error)]))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and its causes, those too that were kept from being printed."""
    seen = set[int]()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _of_one(error: BaseException) -> str:
    words = str(error) if isinstance(error, HirescamError) else "(its words are not kept)"
    lines = traceback.format_tb(error.__traceback__)
    return f"{''.join(lines)}{type(error).__name__}: {words}"


Append = Callable[[Attempt], None]
_ROOM_BYTES = 1 << 18
"""Kept free, so that on a full disk there is room to say so of some hundred scans."""


@contextmanager
def open_ledger(out: Path, shard: Shard) -> Iterator[Append]:
    """Append to the ledger of one shard, which no other process may do meanwhile.

    Raises `WriteError` if another run is at it, or the disk refuses a line.
    """
    path = out / f"ledger{shard.suffix}.jsonl"
    room = out / f".room{shard.suffix}"
    tries = read_ledgers(out).values()
    run = 1 + max((attempt.run for of in tries for attempt in of), default=0)
    with ExitStack() as undo:
        with _refusing(path):
            file = undo.enter_context(path.open("a+b", buffering=0))
            if not lock_file(file, out, shared=False):
                raise WriteError(
                    f"another run is at work in {out} ({path.name}): wait for it, or give it "
                    f"and this one different --shard"
                )
            undo.callback(room.unlink, missing_ok=True)
            room.write_bytes(bytes(_ROOM_BYTES))

        def append(attempt: Attempt) -> None:
            told = asdict(attempt) | {"run": run}
            line = json.dumps({name: it for name, it in told.items() if it})
            with _refusing(path):
                try:
                    _write(file, line)
                except OSError:
                    room.unlink(missing_ok=True)
                    _write(file, line)

        yield append


def read_ledgers(out: Path) -> dict[str, list[Attempt]]:
    """The tries at each scan, in the order of runs, and within one of lines.

    No clock is asked: a scan belongs to one shard of a run, which appends its lines itself.
    Raises `ReadError` for a line that no version up to this one has written.
    """
    tries: dict[str, list[Attempt]] = {}
    for path in sorted(out.glob("ledger*.jsonl")):
        for attempt in _attempts(path):
            tries.setdefault(attempt.id, []).append(attempt)
    for of in tries.values():
        of.sort(key=lambda attempt: attempt.run)  # stable: lines keep their order
    return tries


def _attempts(path: Path) -> Iterator[Attempt]:
    """Each line; one that is no JSON was cut short by a crash and is passed over."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                continue
            try:
                yield parse_attempt(value)
            except ValueError as error:
                raise ReadError(
                    f"line {number} of {path.name} {error}: upgrade hirescam, or restore the "
                    f"file"
                ) from error


def _write(file: IO[bytes], line: str) -> None:
    """Append a line; what a crash or a full disk cut short before it becomes one of its own."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(end - 1, 0))
    torn = b"" if file.read(1) in (b"\n", b"") else b"\n"
    content = torn + line.encode() + b"\n"
    if file.write(content) < len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(file.fileno())


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WriteError(
            f"cannot write {path}: {error.strerror}; free some space and run this again, to go "
            f"on from here"
        ) from error


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
        row = _row(entry, tries.get(entry.id, ()))
        table.writerow({name: table_cell(value) for name, value in row.items()})
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
