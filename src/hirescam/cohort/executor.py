"""Executor: what spreads work over processes or machines; processes of this machine are here.

Each process is known by the scan that it holds. One that is killed takes no other with it: its
scan is told, and another one is started.
"""

import os
import platform
import signal
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Protocol, runtime_checkable

from hirescam.cohort.ledger import Attempt, Status
from hirescam.cohort.manifest import Entry
from hirescam.cohort.work import now, out_of_memory_kills


@runtime_checkable
class Executor(Protocol):
    """Runs work on scans wherever it likes, and tells what came of each as it comes."""

    def run(
        self,
        work: Callable[[Entry], Attempt],
        entries: Iterable[Entry],
        *,
        at_once: int | None = None,
    ) -> Generator[Attempt, None, None]:
        """For each scan that it started, and then that it is done, failed or killed."""


def started(entry: Entry) -> Attempt:
    """That a scan was handed out."""
    return Attempt(entry.id, Status.started, host=platform.node(), at=now())


_SPAWN = get_context("spawn")
OUT_OF_MEMORY = "out of memory"
_REASONS = {
    OUT_OF_MEMORY: "the system ended its process because memory ran out: use fewer --jobs, or "
    "a machine with more memory",
    "SIGKILL": "its process was killed from outside: if nobody did that, memory ran out; use "
    "fewer --jobs, or a machine with more memory",
}
_OF_ITSELF = (
    "its process ended by itself ({}), as a fault in a compiled library makes it: try this "
    "scan alone to see more, and report it"
)
_THREADS = ("OMP_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")


@dataclass(frozen=True)
class Processes:
    """An executor of `jobs` processes with so many threads each."""

    jobs: int = 1
    threads: int = 1

    def run(
        self,
        work: Callable[[Entry], Attempt],
        entries: Iterable[Entry],
        *,
        at_once: int | None = None,
    ) -> Generator[Attempt, None, None]:
        """Try each scan, `at_once` of them if that is fewer than `jobs`."""
        waiting = iter(entries)
        idle: list[_Worker] = []
        busy: dict[Any, tuple[_Worker, Entry]] = {}
        try:
            while True:
                for entry in islice(waiting, min(self.jobs, at_once or self.jobs) - len(busy)):
                    yield started(entry)
                    worker = idle.pop() if idle else _start(work, self.threads)
                    busy[worker.connection] = worker, entry
                    worker.give(entry)
                if not busy:
                    return
                for connection in wait(list(busy)):
                    worker, entry = busy.pop(connection)
                    attempt = worker.answer()
                    if attempt is not None:
                        idle.append(worker)
                    yield attempt or _lost(worker, entry)
        finally:
            for worker in (*idle, *(worker for worker, _ in busy.values())):
                worker.process.kill()
                worker.process.join()


@dataclass(frozen=True, eq=False)
class _Worker:
    process: SpawnProcess
    connection: Connection
    kills_before: int
    """For want of memory, on the whole machine, when it began."""

    def give(self, entry: Entry) -> None:
        with suppress(BrokenPipeError):  # it was killed while idle; `answer` will tell
            self.connection.send(entry)

    def answer(self) -> Attempt | None:
        """What it made of its scan; None if it is no more."""
        try:
            return self.connection.recv()
        except (EOFError, ConnectionResetError):
            return None


def _start(work: Callable[[Entry], Attempt], threads: int) -> _Worker:
    ours, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=_serve, args=(theirs, threads), daemon=True)
    process.start()
    theirs.close()  # so that its end is ours to see
    with suppress(BrokenPipeError):
        ours.send(work)
    return _Worker(process, ours, out_of_memory_kills())


def _serve(connection: Connection, threads: int) -> None:
    """What a process does: one scan after the other, until there is no one to ask."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a keyboard stops the main process
    threading.Thread(target=_die_with_parent, daemon=True).start()
    os.environ |= dict.fromkeys(_THREADS, str(threads))  # before libraries are loaded
    with suppress(EOFError, ConnectionError):  # however the one who asks is gone
        work = connection.recv()
        while True:
            connection.send(work(connection.recv()))


def _die_with_parent() -> None:
    """Without this, a process whose parent was killed would still finish its scan."""
    parent = parent_process()
    assert parent is not None, "started by multiprocessing"
    wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


def _lost(worker: _Worker, entry: Entry) -> Attempt:
    worker.process.join()
    code = worker.process.exitcode or 0
    name = signal.Signals(-code).name if code < 0 else f"exit status {code}"
    if code == -signal.SIGKILL and out_of_memory_kills() > worker.kills_before:
        name = OUT_OF_MEMORY
    reason = _REASONS.get(name, _OF_ITSELF.format(name))
    return Attempt(entry.id, Status.killed, error=name, reason=reason, at=now())
