"""Engine: what spreads work over processes or machines."""

import platform
from collections.abc import Callable, Generator, Iterable
from typing import Protocol, runtime_checkable

from hirescam.cohort.attempt import Attempt, Status
from hirescam.cohort.manifest import Entry
from hirescam.cohort.work import now


@runtime_checkable
class Engine(Protocol):
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
