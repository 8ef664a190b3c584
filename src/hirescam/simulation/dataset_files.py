"""Files of a simulated data set: scans, truth and tables, the same bytes each time."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from hirescam.anatomy import LABELS
from hirescam.atomic import atomic_write
from hirescam.ct.volume import Volume
from hirescam.errors import ReadError

Mask = Bool[np.ndarray, "slice row column"]

_KINDS = ("organs", "masks", "shortcuts")


@dataclass(frozen=True, eq=False)
class Truth:
    """Where organs, labels and shortcuts of one simulated chest lie, on the scan's grid."""

    affine: Float64[np.ndarray, "4 4"]
    organs: dict[str, Mask]
    masks: dict[str, Mask]
    shortcuts: dict[str, Mask]


def write_json(path: Path, values: Mapping[str, object]) -> None:
    """A JSON file that people can read."""
    with atomic_write(path) as file:
        file.write((json.dumps(values, indent=1) + "\n").encode())


def write_nifti(path: Path, volume: Volume) -> None:
    """A scan as compressed NIfTI."""
    volume.to_nifti(path)


def write_npz(path: Path, volume: Volume) -> None:
    """A scan as in RAD-ChestCT: array `ct` from −1000 to 1000 HU, known to be 0.8 mm cubes."""
    with atomic_write(path) as file:
        np.savez_compressed(file, ct=np.clip(volume.voxels, -1000, 1000))


def write_truth(path: Path, truth: Truth) -> None:
    """Masks as bits within their boxes; empty ones too."""
    shape = next(iter(truth.organs.values())).shape
    arrays: dict[str, Any] = {"shape": np.array(shape), "affine": truth.affine}
    for kind in _KINDS:
        for name, mask in getattr(truth, kind).items():
            box = _box(mask)
            arrays[f"{kind}/{name}/box"] = np.array([(each.start, each.stop) for each in box])
            arrays[f"{kind}/{name}/bits"] = np.packbits(mask[box])
    with atomic_write(path) as file:
        np.savez_compressed(file, **arrays)


def read_truth(path: Path | str) -> Truth:
    """The truth that `write_truth` wrote."""
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as stored:
            shape, affine = tuple(stored["shape"].tolist()), stored["affine"]
            found: dict[str, dict[str, Mask]] = {kind: {} for kind in _KINDS}
            for key in stored.files:
                kind, _, rest = key.partition("/")
                name, _, part = rest.partition("/")
                if part == "bits":
                    box = stored[f"{kind}/{name}/box"]
                    found[kind][name] = _unpacked(stored[key], box, shape)
    except (OSError, KeyError, ValueError) as error:
        raise ReadError(
            f"{path.name} is not the truth of a simulated chest: give a file from the folder "
            f"truth/ of a simulated data set"
        ) from error
    return Truth(affine, found["organs"], found["masks"], found["shortcuts"])


def _box(mask: Mask) -> tuple[slice, ...]:
    """The smallest block that holds a mask."""
    sides = []
    for axis in range(3):
        others = tuple(each for each in range(3) if each != axis)
        where = np.flatnonzero(mask.any(axis=others))
        sides.append(slice(int(where[0]), int(where[-1]) + 1) if len(where) else slice(0, 0))
    return tuple(sides)


def _unpacked(bits: np.ndarray, box: np.ndarray, shape: tuple[int, ...]) -> Mask:
    mask = np.zeros(shape, bool)
    part = mask[tuple(slice(start, stop) for start, stop in box.tolist())]
    part[...] = np.unpackbits(bits, count=part.size).reshape(part.shape)
    return mask


def write_tables(out: Path, records: Sequence[Mapping]) -> None:
    """reports.csv, labels.csv, shortcuts.csv and splits.csv from the records of all chests.

    Columns of places are those that any chest of the data set has.
    """
    cells = sorted({cell for record in records for cell in record["cells"]})
    shortcuts = sorted({name for record in records for name in record["shortcuts"]})
    _write_csv(
        out / "reports.csv",
        ("id", "report"),
        ((each["id"], each["report"]) for each in records),
    )
    _write_csv(out / "splits.csv", ("id", "split"), ((r["id"], r["split"]) for r in records))
    _write_csv(
        out / "labels.csv",
        ("id", *LABELS, *cells),
        (
            (
                each["id"],
                *(int(label in each["labels"]) for label in LABELS),
                *(int(cell in each["cells"]) for cell in cells),
            )
            for each in records
        ),
    )
    _write_csv(
        out / "shortcuts.csv",
        ("id", *shortcuts),
        ((each["id"], *(int(each["shortcuts"][s]) for s in shortcuts)) for each in records),
    )


def _write_csv(path: Path, names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(names)
    table.writerows(rows)
    with atomic_write(path) as file:
        file.write(text.getvalue().encode())
