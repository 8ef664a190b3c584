"""Metrics log: one JSON object a line, cut back to the checkpoint when a run goes on."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hirescam.atomic import atomic_write
from hirescam.errors import MissingPackageError
from hirescam.parsing import parse_json

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
    columns = [name for name in rows[0] if name != "kind"]
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
