"""Ledger: every try at every scan as a line of JSON, appended at once and never changed.

Each shard keeps a file of its own, so that many machines can share one folder of results. A
line that a crash cut short is passed over.
"""

import errno
import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO

from hirescam.atomic import lock_file
from hirescam.cohort.attempt import Attempt, parse_attempt
from hirescam.cohort.shard import Shard
from hirescam.errors import ReadError, WriteError

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
