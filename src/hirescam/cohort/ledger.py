"""Ledger: every try at every scan as a line of JSON, appended at once and never changed.

Each shard keeps a file of its own, so that many machines can share one folder of results. A
line that a crash cut short is passed over.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from hirescam.cohort.attempt import Attempt, Status
from hirescam.cohort.shard import Shard
from hirescam.errors import WriteError

Append = Callable[[Attempt], None]


@contextmanager
def open_ledger(out: Path, shard: Shard) -> Iterator[Append]:
    """Append to the ledger of one shard, which no other process may do meanwhile.

    Raises `WriteError` if another run is at it, or the disk refuses a line.
    """
    path = out / f"ledger{shard.suffix}.jsonl"
    try:
        file = path.open("a+b")
    except OSError as error:
        raise _refused(path, error) from error
    with file:
        _lock(file, path)
        _end_last_line(file)

        def append(attempt: Attempt) -> None:
            line = json.dumps({name: it for name, it in asdict(attempt).items() if it})
            try:
                file.write(line.encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            except OSError as error:
                raise _refused(path, error) from error

        yield append


def read_ledgers(out: Path) -> dict[str, list[Attempt]]:
    """The tries at each scan, in the order of time."""
    lines = [line for path in sorted(out.glob("ledger*.jsonl")) for line in _lines(path)]
    tries: dict[str, list[Attempt]] = {}
    for line in sorted(lines, key=lambda line: line["at"]):
        attempt = Attempt(**(line | {"status": Status(line["status"])}))
        tries.setdefault(attempt.id, []).append(attempt)
    return tries


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for line in file:
            try:
                yield json.loads(line)
            except ValueError:  # cut short by a crash
                continue


def _lock(file: IO[bytes], path: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise WriteError(
            f"another run is at work in {path.parent} ({path.name}): wait for it, or give it "
            f"and this one different --shard"
        ) from None


def _end_last_line(file: IO[bytes]) -> None:
    """What a crash cut short becomes a line of its own, so that the next one is whole."""
    end = file.seek(0, os.SEEK_END)
    if end:
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":
            file.write(b"\n")


def _refused(path: Path, error: OSError) -> WriteError:
    return WriteError(
        f"cannot write {path}: {error.strerror}; free some space and run this again, to go on "
        f"from here"
    )
