"""Queue: series that arrived, on disk, so that a kill loses none and a repeat adds none.

    arriving/HASH/     slices as they come; HASH is of the SeriesInstanceUID
    ready/HASH/        a series to which nothing was added for a while
    explained/HASH/    its explanation, with `dicom/`; sent.txt lists what was sent back
    done/HASH.txt      which slices the explanation that was sent back was made of
    failed/HASH/       what could not be explained or sent, with reason.txt

A step ends with one rename; a step that was killed is done again.
"""

import hashlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from hirescam.atomic import atomic_write, claim_folder
from hirescam.errors import WriteError

STATES = ("arriving", "ready", "explained", "done", "failed")


def hashed(uid: str) -> str:
    """A name for files and logs from which no identifier can be read."""
    return hashlib.sha256(uid.encode()).hexdigest()[:24]


class Queue:
    """The folders of a listener; `most_bytes` bounds what waits there."""

    def __init__(
        self, folder: Path, *, most_bytes: int = 20 << 30, quiet_s: float | int = 30.0
    ):
        self.folder, self.most_bytes, self.quiet_s = folder, most_bytes, quiet_s
        self._lock = threading.Lock()
        claim_folder(folder, "listener's queue", older=STATES)
        for state in STATES:
            (folder / state).mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)  # what lies here names patients
        self._bytes = self._count()

    def add(self, series_uid: str, instance_uid: str, content: bytes) -> bool:
        """Keep one slice; False where there is no room. The same again changes nothing."""
        with self._lock:
            if self._bytes + len(content) > self.most_bytes:
                return False
            home = self.folder / "arriving" / hashed(series_uid)
            path = home / f"{hashed(instance_uid)}.dcm"
            if not path.exists():
                with atomic_write(path) as file:
                    file.write(content)
                self._bytes += len(content)
            os.utime(home)
        return True

    def close_series(self) -> None:
        """Move series on that had no new slice for `quiet_s`; forget those already sent."""
        with self._lock:
            for home in sorted((self.folder / "arriving").iterdir()):
                if time.time() - home.stat().st_mtime < self.quiet_s:
                    continue
                if self._is_done(home):
                    self._forget(home)
                    continue
                ready = self.folder / "ready" / home.name
                if ready.exists():  # later slices of a series that waits: they belong together
                    for path in home.iterdir():
                        path.replace(ready / path.name)
                    home.rmdir()
                    self._bytes = self._count()
                else:
                    home.rename(ready)

    def waiting(self) -> list[Path]:
        """Series to explain, or to send back, the oldest first."""
        return sorted((self.folder / "ready").iterdir(), key=lambda home: home.stat().st_mtime)

    def explanation_of(self, home: Path) -> Path:
        """Where the explanation of a series lies, or will lie."""
        return self.folder / "explained" / home.name

    def finish(self, home: Path) -> None:
        """Remember what was explained and sent back, and let go of the patient's data."""
        with self._lock:
            with atomic_write(self.folder / "done" / f"{home.name}.txt") as file:
                file.write("\n".join(_slices(home)).encode())
            self._forget_explanation(home)
            self._forget(home)

    def fail(self, home: Path, reason: str) -> None:
        """Put a series aside; it is tried again only when it is sent again or moved back."""
        with self._lock:
            aside = self.folder / "failed" / home.name
            self._forget(aside)
            home.rename(aside)
            (aside / "reason.txt").write_text(f"{reason}\n", encoding="utf-8")
            self._forget_explanation(home)

    def _forget_explanation(self, home: Path) -> None:
        explained = self.explanation_of(home)
        shutil.rmtree(explained, ignore_errors=True)
        explained.with_suffix(".slices").unlink(missing_ok=True)

    def _is_done(self, home: Path) -> bool:
        done = self.folder / "done" / f"{home.name}.txt"
        return done.is_file() and set(_slices(home)) <= set(done.read_text().split())

    def _forget(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self._bytes = self._count()

    def _count(self) -> int:
        """Bytes of all slices that wait or were put aside."""
        homes = (self.folder / state for state in ("arriving", "ready", "failed"))
        return sum(path.stat().st_size for home in homes for path in home.glob("*/*.dcm"))


def _slices(home: Path) -> list[str]:
    return sorted(path.stem for path in home.glob("*.dcm"))


def work(
    queue: Queue,
    explain: Callable[[Path, Path], None],
    send: Callable[[Path], None],
    tell: Callable[[str], None],
    *,
    tries: int = 5,
    wait_s: float = 5.0,
    stopped: Callable[[], bool],
) -> None:
    """Explain each series that is complete and send its objects back, until stopped.

    `explain` reads a folder of slices and writes another; `send` sends one file and raises
    `WriteError` where that fails, which is tried again with growing pauses.
    """
    failures: dict[str, int] = {}
    later: dict[str, float] = {}
    while not stopped():
        queue.close_series()
        for home in queue.waiting():
            if stopped():
                return
            if time.monotonic() < later.get(home.name, 0.0):
                continue
            began = time.monotonic()
            try:
                _one(queue, home, explain, send)
                failures.pop(home.name, None)
                tell(f"{home.name[:8]}: sent back after {time.monotonic() - began:.1f} s")
            except WriteError as error:
                failures[home.name] = failures.get(home.name, 0) + 1
                later[home.name] = time.monotonic() + wait_s * 2 ** failures[home.name]
                tell(f"{home.name[:8]}: not sent, try {failures[home.name]} of {tries}")
                if failures.pop(home.name) if failures[home.name] >= tries else 0:
                    queue.fail(home, str(error))
            except Exception as error:  # one bad series must not stop the others
                queue.fail(home, f"{type(error).__name__}: {error}")
                tell(f"{home.name[:8]}: not explained ({type(error).__name__}); put aside")
        time.sleep(min(0.5, queue.quiet_s / 4))


def _one(
    queue: Queue,
    home: Path,
    explain: Callable[[Path, Path], None],
    send: Callable[[Path], None],
) -> None:
    explained, made_of = queue.explanation_of(home), home / "slices.txt"
    if explained.is_dir() and not (
        made_of.is_file() and made_of.read_text().split() == _slices(home)
    ):
        shutil.rmtree(explained)  # made of other slices than there are now
    if not explained.is_dir():
        made_of.write_text("\n".join(_slices(home)))
        explain(home, explained)
    sent = explained / "sent.txt"
    already = set(sent.read_text().split()) if sent.is_file() else set()
    for path in _objects(explained):
        if path.name not in already:
            send(path)
            with sent.open("a") as file:
                file.write(f"{path.name}\n")
                file.flush()
                os.fsync(file.fileno())
    queue.finish(home)


def _objects(explained: Path) -> Iterator[Path]:
    """Maps and segmentations first, then the report that refers to them."""
    files = sorted((explained / "dicom").glob("*.dcm"))
    yield from (path for path in files if path.stem != "report")
    yield from (path for path in files if path.stem == "report")
