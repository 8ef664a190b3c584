"""Cohorts for tests: small files in place of scans, and a step that does what they say."""

import csv
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hirescam.atomic import MARK, atomic_write
from hirescam.cohort.manifest import Entry
from hirescam.errors import VoxelError


@dataclass(frozen=True)
class Obeying:
    """Copies a file, after it did what the file asks for."""

    marks: Path
    settings_given: Any = ""
    seconds: float = 0.0

    name = "obey"

    @property
    def settings(self):
        return {"given": self.settings_given}

    def __call__(self, entry: Entry, folder: Path) -> None:
        said = entry.path.read_text()
        time.sleep(self.seconds)
        if said.startswith("refuse"):
            raise VoxelError(f"{entry.path.name}: is no CT")
        if said.startswith("break"):
            raise KeyError(said)
        if said.startswith("no memory"):
            raise MemoryError
        if said.startswith("die once") and not (self.marks / entry.id).exists():
            (self.marks / entry.id).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if said.startswith("die always"):
            os.kill(os.getpid(), signal.SIGSEGV)
        with atomic_write(folder / "copy.txt") as file:
            file.write(said.encode() * (100_000 if said.startswith("fill") else 1))


def write_cohort(folder, said):
    """A manifest of files that say these things, the first one in scan-00."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "manifest.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("id", "path", "split", "report"))
        for number, text in enumerate(said):
            (folder / f"scan-{number:02}.txt").write_text(f"{text} {number}")
            split = "train" if number % 2 else "test"
            table.writerow((f"scan-{number:02}", f"scan-{number:02}.txt", split, "No nodule."))
    return folder / "manifest.csv"


def contents(folder):
    """Every file below a folder with its bytes, but the marks that make folders ours."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MARK
    }


class Here:
    """An executor of no processes at all."""

    def run(self, work, entries, *, at_once=None):
        return (work(entry) for entry in entries)
