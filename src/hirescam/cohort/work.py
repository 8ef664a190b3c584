"""Work: one step on one scan, tried in a folder of its own that is moved in place if whole.

Work is named by its input, its settings and the code that does it; other code may give other
results, and a version says little in a checkout, so that the code is known by its files.
"""

import hashlib
import json
import platform
import secrets
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import hirescam
from hirescam.atomic import MARK, mark_folder, removed_on_failure, replace_folder
from hirescam.cohort.ledger import Attempt, Status, reason, trace
from hirescam.cohort.manifest import Entry
from hirescam.ct.validation import as_read_error
from hirescam.errors import ReadError, WriteError
from hirescam.training.prepared import cached_digest, digest, digest_of

_DIGITS = 12


@cache
def code_version() -> str:
    """The version of hirescam and a digest of its files; other code may give other results."""
    with as_file(files("hirescam")) as folder:
        parts = sorted(path for path in folder.rglob("*") if path.suffix != ".pyc")
        every = "".join(digest(path) for path in parts if path.is_file())
    return f"{hirescam.__version__}+{hashlib.sha256(every.encode()).hexdigest()[:_DIGITS]}"


_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"
_EVENTS, _KILLS = Path("/proc/vmstat"), "oom_kill "


def forget_peak() -> None:
    """Let the peak begin anew, where the system can do so (Linux)."""
    with suppress(OSError):
        _CLEAR.write_text(_RESET_PEAK)


def peak_mib() -> float | None:
    """The most memory held since `forget_peak`; elsewhere than on Linux, since the start."""
    with suppress(OSError, StopIteration):
        lines = _STATUS.read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
    try:
        import resource
    except ImportError:  # Windows does not say
        return None
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def out_of_memory_kills() -> int:
    """How many processes the system has ended for want of memory; 0 where it does not say."""
    with suppress(OSError):
        lines = _EVENTS.read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith(_KILLS))
    return 0


@runtime_checkable
class Step(Protocol):
    """What is done to each scan. It travels to other processes, so that it holds paths."""

    @property
    def name(self) -> str:
        """What it is called on the command line."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """All that decides its bytes beside the scan and the code, as JSON."""

    def __call__(self, entry: Entry, folder: Path) -> None:
        """Write what comes of one scan into a new folder; the same scan, the same bytes."""


@dataclass(frozen=True)
class Work:
    """A step with the folder where its results go; `staging` is where they are made.

    `out` and `staging` lie on one disk, so that a result moves in one stroke.
    """

    step: Step
    out: Path
    staging: Path

    def __call__(self, entry: Entry) -> Attempt:
        """Try one scan: whatever goes wrong with it is told, not raised."""
        forget_peak()
        start = time.perf_counter()
        came: dict[str, Any]
        try:
            key = work_key(self.step, entry, self.out, code_version())
            result, made = self._make(entry)
            came = {"key": key, "result": result, "files": made, "status": Status.done}
        except Exception as error:
            out_of_memory = isinstance(error, MemoryError)
            came = {
                "status": Status.killed if out_of_memory else Status.failed,
                "error": type(error).__name__,
                "reason": reason(error),
                "traceback": trace(error),
            }
        return Attempt(
            id=entry.id,
            seconds=round(time.perf_counter() - start, 3),
            peak_memory_mib=peak_mib(),
            code=code_version(),
            host=platform.node(),
            at=now(),
            **came,
        )

    def _make(self, entry: Entry) -> tuple[str, dict[str, int]]:
        """Make a scan's results and move them in place; their digest, names and sizes."""
        part = self.staging / f"{entry.id}.{secrets.token_hex(4)}"
        with _writing(entry):
            part.mkdir(parents=True)
        with removed_on_failure(part):
            self.step(entry, part)
            with _writing(entry):
                result, made = digest(part), sizes(part)
                mark_folder(part, f"{self.step.name} result")
                place = result_folder(self.out, entry.id)
                place.parent.mkdir(parents=True, exist_ok=True)
                replace_folder(part, place)
        return result, made


def sizes(folder: Path) -> dict[str, int]:
    """The size in bytes of each file below a folder, but our marks."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != MARK)
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}


def is_whole(folder: Path, attempt: Attempt, *, verify: bool = False) -> bool:
    """Whether the files of a result are there with their sizes, or to `verify` their bytes.

    What the user has put beside them is of no matter. Ledgers of before 0.2 name no files.
    """
    try:
        if any((folder / name).stat().st_size != size for name, size in attempt.files.items()):
            return False
        if not verify:
            return folder.is_dir()
        paths = [
            folder / name for name in sorted(attempt.files, key=lambda name: folder / name)
        ]
        return digest_of(paths) == attempt.result
    except OSError:
        return False


def work_key(step: Step, entry: Entry, out: Path, code: str) -> str:
    """The name of one piece of work: a hash of the scan, the settings and the code.

    Raises `ReadError` for a scan or masks that are not there or may not be read.
    """
    inputs = [path for path in (entry.path, entry.organs) if path is not None]
    digests = []
    for path in inputs:
        with as_read_error(path):
            if not path.exists():
                raise ReadError("is not there: check its path in the manifest")
            digests.append(cached_digest(path, out / "digests"))
    ingredients = [step.name, dict(step.settings), code, digests, entry.series]
    return hashlib.sha256(json.dumps(ingredients, sort_keys=True).encode()).hexdigest()


def result_folder(out: Path, id: str) -> Path:
    """Where the results of one scan lie."""
    return out / "cases" / id


def now() -> str:
    """The time in UTC, to be kept beside what was done then."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@contextmanager
def _writing(entry: Entry) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WriteError(
            f"cannot write the results of {entry.id}: {error.strerror or error}; free some "
            f"space, or choose another folder"
        ) from error
