"""RayCluster: scans spread over the machines of a Ray cluster that runs already.

Only paths travel, so that every machine must see scans, model and results under the same path.
"""

import logging
import os
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from hirescam.cohort.executor import started
from hirescam.cohort.ledger import Attempt, Status
from hirescam.cohort.manifest import Entry
from hirescam.cohort.work import now
from hirescam.errors import HirescamError, MissingPackageError

NO_TOKEN = (
    "this Ray cluster is asked without a token: if it has none, whoever reaches its ports can "
    "run code on it; set RAY_AUTH_MODE=token on every machine (docs/how-to/cohorts.md)"
)
_HANDED_OUT_PER_CORE = 2
"""So many that no core waits for the next, and few that a lost machine takes with it."""


@dataclass(frozen=True)
class RayCluster:
    """An executor on all machines of the cluster at `address`, with so many threads a scan."""

    address: str = "auto"
    threads: int = 1
    gpu: bool = False

    def run(
        self,
        work: Callable[[Entry], Attempt],
        entries: Iterable[Entry],
        *,
        at_once: int | None = None,
    ) -> Generator[Attempt, None, None]:
        """Try each scan, as many at once as the cluster has room for."""
        waiting = iter(entries)
        first = next(waiting, None)
        if first is None:
            return
        with _connected(self.address) as ray:
            remote = ray.remote(
                num_cpus=self.threads,
                num_gpus=int(self.gpu),
                max_retries=0,  # what was killed is tried again by `run_cohort`, once
                runtime_env={"env_vars": {"OMP_NUM_THREADS": str(self.threads)}},
            )(_attempt)
            shared = ray.put(work)
            running: dict[Any, Entry] = {}
            entry: Entry | None = first
            while entry is not None or running:
                while entry is not None and len(running) < (at_once or self._room(ray)):
                    yield started(entry)
                    running[remote.remote(shared, entry)] = entry
                    entry = next(waiting, None)
                for reference in ray.wait(list(running))[0]:
                    yield _came_of(ray, reference, running.pop(reference))

    def _room(self, ray: ModuleType) -> int:
        """How many scans to hand out now; machines may come and go."""
        cores = ray.cluster_resources().get("CPU", 1)
        return max(1, int(_HANDED_OUT_PER_CORE * cores / self.threads))


def _attempt(work: Callable[[Entry], Attempt], entry: Entry) -> Attempt:
    return work(entry)


def _came_of(ray: ModuleType, reference: Any, entry: Entry) -> Attempt:
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        return Attempt(
            entry.id,
            Status.failed,
            error=type(error.cause).__name__,
            reason="the machine that it was given to could not begin: install the same version "
            "of hirescam on every machine of the cluster",
            at=now(),
        )
    except ray.exceptions.RayError as error:
        return Attempt(
            entry.id,
            Status.killed,
            error=type(error).__name__,
            reason="its process, or the machine that it ran on, was lost, as when memory runs "
            "out: give each scan more --threads, so that fewer run at once",
            at=now(),
        )


@contextmanager
def _connected(address: str) -> Iterator[ModuleType]:
    """The module ray, connected to a cluster; left as it was found."""
    try:
        import ray
    except ImportError:
        raise MissingPackageError(
            'working on a Ray cluster needs ray: pip install "hirescam[ray]"'
        ) from None
    if ray.is_initialized():
        yield ray
        return
    if os.environ.get("RAY_AUTH_MODE") != "token":
        warnings.warn(NO_TOKEN, stacklevel=2)
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    except ConnectionError:
        raise HirescamError(
            f"no Ray cluster answers at {address!r}: start one with `ray start --head`, or "
            f"leave --ray out to work on this machine"
        ) from None
    try:
        yield ray
    finally:
        ray.shutdown()
