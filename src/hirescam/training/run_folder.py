"""Run folder: all that a training run leaves, enough to repeat it.

config.json       the resolved config; `hirescam train config.json` repeats the run
made_with.json    versions, commit, and a digest of which scans were in which split
metrics.jsonl     losses, one line for some steps and for each epoch; epochs.csv as a table
last.checkpoint   where the run stands; it goes on from there with --resume
best.model        the model of the epoch with the lowest validation loss
"""

import csv
import hashlib
import io
import json
import platform
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import hirescam
from hirescam.atomic import atomic_write, claim_folder, only_writer, remove_abandoned
from hirescam.errors import MissingPackageError, WriteError
from hirescam.parsing import parse_json
from hirescam.training.config import TrainConfig, changed_keys
from hirescam.training.datasets.cases import Cases

Row = Mapping[str, Any]
Write = Callable[[Row], None]


@contextmanager
def metrics_log(
    folder: Path,
    *,
    steps: int,
    epochs: int = 0,
    tensorboard: bool = False,
    silent: bool = False,
) -> Iterator[Write]:
    """Append rows to metrics.jsonl, after those of so many steps and whole epochs; others go.

    Rows of kind `epoch` also become epochs.csv. With `tensorboard` all numbers go there too. A
    `silent` log, as of all processes but the first, writes nothing.
    """
    if silent:
        yield lambda row: None
        return
    path = folder / "metrics.jsonl"
    rows = [
        row
        for row in _read(path)
        if row["steps"] <= steps and (row["kind"] == "step" or row["epoch"] <= epochs)
    ]
    with atomic_write(path) as file:
        file.writelines(_line(row) for row in rows)
    with path.open("ab") as file, _tensorboard(folder, steps, tensorboard) as show:

        def write(row: Row) -> None:
            file.write(_line(row))
            file.flush()
            show(row)
            rows.append(row)
            if row["kind"] == "epoch":
                _write_table(folder / "epochs.csv", [r for r in rows if r["kind"] == "epoch"])

        yield write


def last_epoch(folder: Path) -> Row:
    """What was measured in a run's last epoch."""
    return [row for row in _read(folder / "metrics.jsonl") if row["kind"] == "epoch"][-1]


def _read(path: Path) -> Iterator[Row]:
    """Whole lines only: the last may have been cut off with its process."""
    if path.exists():
        for line in path.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                yield parse_json(line)


def _line(row: Row) -> bytes:
    return (json.dumps(row) + "\n").encode()


def _write_table(path: Path, rows: list[Row]) -> None:
    text = io.StringIO(newline="")
    columns = [name for name in dict.fromkeys(n for row in rows for n in row) if name != "kind"]
    table = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    with atomic_write(path) as file:
        file.write(text.getvalue().encode())


@contextmanager
def _tensorboard(folder: Path, steps: int, wanted: bool) -> Iterator[Write]:
    if not wanted:
        yield lambda row: None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingPackageError(
            'TensorBoard needs to be installed: pip install "hirescam[train]"'
        ) from error
    with SummaryWriter(str(folder / "tensorboard"), purge_step=steps + 1) as board:

        def show(row: Row) -> None:
            for name, value in row.items():
                if isinstance(value, float):
                    board.add_scalar(f"{row['kind']}/{name}", value, int(row["steps"]))

        yield show


CHECKPOINT, BEST = "last.checkpoint", "best.model"
_PACKAGES = ("torch", "lightning", "numpy", "scipy", "SimpleITK", "nibabel", "pydicom")


@contextmanager
def open_run(
    folder: Path, config: TrainConfig, cases: Cases, *, resume: bool
) -> Iterator[None]:
    """Begin a run in a new folder, or go on with the one that is there, as its only writer.

    What a stopped process left half-written is removed. Raises `WriteError`, before anything is
    changed, if the folder holds files of somebody else, if there is a run and `resume` was not
    asked for, if it is another one, or if another process is at work on it.
    """
    claim_folder(folder, "training run", older=("config.json", "made_with.json"))
    with only_writer(folder, "training run"):
        _state(folder, config, cases, resume=resume)
        yield


def _state(folder: Path, config: TrainConfig, cases: Cases, *, resume: bool) -> None:
    stated = folder / "config.json"
    if not stated.exists():
        _write_json(stated, config.model_dump(mode="json"))
        _write_json(folder / "made_with.json", made_with(cases))
        return
    if not resume:
        raise WriteError(
            f"{folder} holds a training run: go on with it by --resume, or choose another "
            f"folder"
        )
    changed = changed_keys(TrainConfig.read(stated), config)
    if changed:
        raise WriteError(
            f"{folder} holds a run of another config, with other {', '.join(changed)}: resume "
            f"it with {stated}, or choose another folder"
        )
    remove_abandoned(folder)


def made_with(cases: Cases) -> dict[str, Any]:
    """What else a run follows from; no scan is named."""
    splits = {
        split: {
            "scans": len(of_split),
            "digest": hashlib.sha256(
                "\n".join(each.id for each in of_split).encode()
            ).hexdigest(),
        }
        for split, of_split in cases.splits.items()
    }
    return {
        "hirescam": hirescam.__version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: version(name) for name in _PACKAGES},
        "splits": splits,
        "rows_without_scan": cases.absent,
    }


def _commit() -> str | None:
    """The commit of the code, if it runs from a git checkout."""
    here = Path(__file__).parent
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40"],
            cwd=here,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _write_json(path: Path, content: dict[str, Any]) -> None:
    with atomic_write(path) as file:
        file.write((json.dumps(content, indent=2) + "\n").encode())
