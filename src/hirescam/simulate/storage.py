"""Storage: a simulated chest as files that appear whole, and the same bytes each time."""

import gzip
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import nibabel as nib
import numpy as np
from jaxtyping import Bool, Float64

from hirescam.ct.volume import Volume
from hirescam.errors import ReadError, WriteError

Mask = Bool[np.ndarray, "slice row column"]

_SCANNER = 1  # NIfTI code: coordinates of the scanner
_KINDS = ("organs", "masks", "shortcuts")


@dataclass(frozen=True, eq=False)
class Truth:
    """Where organs, labels and shortcuts of one simulated chest lie, on the scan's grid."""

    affine: Float64[np.ndarray, "4 4"]
    organs: dict[str, Mask]
    masks: dict[str, Mask]
    shortcuts: dict[str, Mask]


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A hidden file to write into; it becomes `path` when the block ends well."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    except OSError as error:
        raise WriteError(
            f"cannot write {path}: {error.strerror}; free some space or choose another folder"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def write_json(path: Path, values: Mapping[str, object]) -> None:
    """A JSON file that people can read."""
    with whole_file(path) as file:
        file.write((json.dumps(values, indent=1) + "\n").encode())


def write_nifti(path: Path, volume: Volume) -> None:
    """A scan as compressed NIfTI; its axes are column, row, slice, as viewers page."""
    turned = volume.affine[:, [2, 1, 0, 3]]
    image = nib.Nifti1Image(volume.voxels.T, turned)
    image.header.set_xyzt_units("mm")
    image.set_sform(turned, _SCANNER)
    image.set_qform(turned, _SCANNER)
    with (
        whole_file(path) as raw,
        gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw, mtime=0) as packed,
    ):
        image.to_stream(packed)


def write_npz(path: Path, volume: Volume) -> None:
    """A scan as in RAD-ChestCT: array `ct` from −1000 to 1000 HU, known to be 0.8 mm cubes."""
    with whole_file(path) as file:
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
    with whole_file(path) as file:
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
