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
from typing import IO, Any

from hirescam.cohort.attempt import Attempt, Status
from hirescam.cohort.shard import Shard
from hirescam.errors import WriteError
from hirescam.parsing import parse_json

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
    with ExitStack() as undo:
        with _refusing(path):
            file = undo.enter_context(path.open("a+b", buffering=0))
            _lock(file, path)
            undo.callback(room.unlink, missing_ok=True)
            room.write_bytes(bytes(_ROOM_BYTES))

        def append(attempt: Attempt) -> None:
            line = json.dumps({name: it for name, it in asdict(attempt).items() if it})
            with _refusing(path):
                try:
                    _write(file, line)
                except OSError:
                    room.unlink(missing_ok=True)
                    _write(file, line)

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
                yield parse_json(line)
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
    except OSError:  # a file system without locks
        return


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
