"""run_cohort: one step on every scan of a cohort; what fails is told and stops nothing."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from hirescam.atomic import finish_replacement
from hirescam.cohort.executor import Executor
from hirescam.cohort.ledger import Attempt, Status, open_ledger, read_ledgers, write_table
from hirescam.cohort.manifest import WHOLE, Entry, Shard
from hirescam.cohort.settings_lock import locked_settings
from hirescam.cohort.work import Step, Work, code_version, is_whole, result_folder, work_key
from hirescam.errors import ReadError, WriteError

_LOOKING = 16
"""Threads that look for what is done: they mostly wait for a disk, often a far one."""

_ENDS = (Status.done, Status.failed, Status.killed)


@dataclass(frozen=True)
class Which:
    """Which scans of a cohort are worked on: those that are missing or failed, of a shard.

    `retry_failed` leaves out what was never tried, `limit` all but the first so many.
    """

    shard: Shard = WHOLE
    limit: int | None = None
    retry_failed: bool = False


@dataclass(frozen=True)
class Tally:
    """How many scans of a shard were done, failed or were killed now; the rest is as it was."""

    scans: int
    before: int = 0
    todo: int = 0
    done: int = 0
    failed: int = 0
    killed: int = 0

    @property
    def left(self) -> int:
        """Scans that have no result, tried or not."""
        return self.scans - self.before - self.done


OnProgress = Callable[[Tally], None]


def run_cohort(
    step: Step,
    entries: Sequence[Entry],
    out: Path,
    executor: Executor,
    *,
    which: Which | None = None,
    overwrite: bool = False,
    keep_older: bool = False,
    verify: bool = False,
    on_progress: OnProgress = lambda tally: None,
) -> Tally:
    """Do `step` on the scans that have no result of it yet in the folder `out`.

        cohort.json          the step, its settings and versions
        cases/<id>/          the results of each scan, whole or not there
        ledger.jsonl         every try: time, memory, and the traceback of what failed
        ledger.csv           how the last try at each scan ended
        digests/             the hash of each input, so that it is read for it only once

    A result stays for as long as scan, settings and code do, or with `keep_older` for as long
    as scan and settings do, and while its files are there with their sizes; `verify` also
    compares their bytes with the ledger's hash. A scan whose process was killed, or ran out of
    memory, is tried once more at the end, alone. Whenever a run is stopped, the next goes on
    from there.

    Raises `WriteError` if `out` is not ours, is made otherwise (unless `overwrite`), is at work
    already, or the disk refuses.
    """
    which = which or Which()
    with (
        locked_settings(out, step, overwrite=overwrite, keep_older=keep_older),
        _told_at_the_end(out, entries),
        open_ledger(out, which.shard) as append,
        _staging(out, which.shard) as staging,
    ):
        own, tries = which.shard.pick(entries), read_ledgers(out)
        fresh = _fresh(step, own, out, tries, keep_older, verify)
        missing = [entry for entry in own if entry.id not in fresh]
        todo = [each for each in missing if each.id in tries or not which.retry_failed]
        todo = todo[: which.limit]
        tally = Tally(len(own), before=len(fresh), todo=len(todo))
        last: dict[str, Status] = {}
        with closing(_tries(executor, Work(step, out, staging), todo)) as attempts:
            for attempt in attempts:
                append(attempt)
                tally = _counted(tally, last.get(attempt.id), attempt.status)
                last[attempt.id] = attempt.status
                on_progress(tally)
    return tally


@contextmanager
def _told_at_the_end(out: Path, entries: Sequence[Entry]) -> Iterator[None]:
    """Write the table however a run ends; a full disk does not hide what ended it."""
    try:
        yield
    except BaseException:
        with suppress(WriteError):
            write_table(out, entries, read_ledgers(out))
        raise
    write_table(out, entries, read_ledgers(out))


@contextmanager
def _staging(out: Path, shard: Shard) -> Iterator[Path]:
    """A folder to make results in; what a killed run left there is ended or removed."""
    folder = out / f".staging{shard.suffix}"
    _clear(folder, out)
    try:
        yield folder
    finally:
        _clear(folder, out)


def _clear(staging: Path, out: Path) -> None:
    """Finish what was being put in place; remove the rest, all of which a step has made."""
    if not staging.is_dir():
        return
    for part in staging.iterdir():
        finish_replacement(part, result_folder(out, part.name.rpartition(".")[0]))
    with suppress(OSError):  # a process that was told to stop may be at work still
        staging.rmdir()


def _tries(
    executor: Executor, work: Work, todo: Sequence[Entry]
) -> Generator[Attempt, None, None]:
    """Each try as it comes; at the end once more what was killed, one scan at a time."""
    killed = set[str]()
    with closing(executor.run(work, todo)) as attempts:
        for attempt in attempts:
            if attempt.status is Status.killed:
                killed.add(attempt.id)
            yield attempt
    again = [entry for entry in todo if entry.id in killed]
    with closing(executor.run(work, again, at_once=1)) as attempts:
        yield from attempts


def _counted(tally: Tally, before: Status | None, now: Status) -> Tally:
    """The counts after a scan went from one status to another."""
    counts = {status: getattr(tally, status) for status in _ENDS}
    for status, change in ((before, -1), (now, 1)):
        if status in counts:
            counts[status] += change
    return replace(tally, **counts)


def _fresh(
    step: Step,
    entries: Sequence[Entry],
    out: Path,
    tries: Mapping[str, Sequence[Attempt]],
    keep_older: bool,
    verify: bool,
) -> set[str]:
    """The scans whose results are there, made of these inputs with these settings."""
    tried = [entry for entry in entries if entry.id in tries]
    with ThreadPoolExecutor(_LOOKING) as threads:
        fresh = threads.map(partial(_is_fresh, step, out, tries, keep_older, verify), tried)
        return {entry.id for entry, is_fresh in zip(tried, fresh, strict=True) if is_fresh}


def _is_fresh(
    step: Step,
    out: Path,
    tries: Mapping[str, Sequence[Attempt]],
    keep_older: bool,
    verify: bool,
    entry: Entry,
) -> bool:
    last = tries[entry.id][-1]
    if last.status is not Status.done:
        return False
    if not is_whole(result_folder(out, entry.id), last, verify=verify):
        return False
    try:
        code = last.code if keep_older else code_version()
        return last.key == work_key(step, entry, out, code)
    except ReadError:  # no longer there, which the ledger is to tell
        return False
