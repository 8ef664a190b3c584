"""CT-RATE: its two releases, told apart by their values and never rescaled twice.

The first release (folders `train`, `valid`) keeps stored numbers, whose slope, intercept and
place are in a metadata table. The corrected one (`train_fixed`, `valid_fixed`) keeps Hounsfield
units, yet the same table still tells a slope and an intercept. Hamamci et al.,
arXiv:2403.17834; https://github.com/ibrahimethemhamamci/CT-CLIP/issues/50
"""

import csv
import re
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Shaped

from hirescam.ct.formats.nifti import nifti_affine, stored_nifti
from hirescam.ct.validation import (
    as_read_error,
    check_hounsfield,
    hounsfield,
    hounsfield_fault,
    sample,
)
from hirescam.ct.volume import Volume, affine_from_lps
from hirescam.errors import GeometryError, ReadError, VoxelError
from hirescam.parsing import read_json

CT_RATE_NAME = re.compile(r"(train|valid)_\d+_[a-z]+_\d+\.nii(\.gz)?")
_TABLES = {"train": "train_metadata.csv", "valid": "validation_metadata.csv"}
_NUMBERS = {  # column: how many numbers it holds; nothing else of the table is read
    "RescaleSlope": 1,
    "RescaleIntercept": 1,
    "XYSpacing": 2,
    "ZSpacing": 1,
    "ImagePositionPatient": 3,
    "ImageOrientationPatient": 6,
}
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_UNEQUAL = 0.01  # of a spacing

_Row = dict[str, Float64[np.ndarray, "_"]]


def read_ct_rate(path: str | Path, metadata: str | Path | None = None) -> Volume:
    """A volume of CT-RATE, of either release, in HU and at its place in the patient.

    `metadata` is the table of its split (CSV, or JSON of objects by volume name); without it,
    the one of the published layout is looked for in the folders above. Values that are HU
    already stay; stored numbers are rescaled and placed as the table says; anything else is a
    `VoxelError`, and a spacing that table and file tell differently a `GeometryError`.
    """
    path = Path(path).absolute()
    with as_read_error(path):
        row = _row(path, Path(metadata) if metadata else _published_table(path))
        header, stored = stored_nifti(path)
        (slope,), (intercept,) = row["RescaleSlope"], row["RescaleIntercept"]
        if hounsfield_fault(sample(stored)) is None:
            volume = Volume(stored, nifti_affine(header)[:, [2, 1, 0, 3]])
            _check_spacing(volume, row)
        else:
            planes = [hounsfield(plane, float(slope), float(intercept)) for plane in stored]
            volume = Volume(np.stack(planes), _affine(row))
        check_hounsfield(volume)
    return volume


def check_not_raw(path: Path, voxels: Shaped[np.ndarray, "slice row column"]) -> None:
    """Refuse a volume of CT-RATE whose values are stored numbers, as in its first release."""
    if CT_RATE_NAME.fullmatch(path.name) and (fault := hounsfield_fault(sample(voxels))):
        raise VoxelError(
            f"is named as a volume of CT-RATE, whose first release keeps stored numbers "
            f"({fault}): read it with hirescam.ct.formats.ct_rate.read_ct_rate and its table"
        )


def _published_table(path: Path) -> Path:
    named = CT_RATE_NAME.fullmatch(path.name)
    table = _TABLES[named[1]] if named else "train_metadata.csv"
    for folder in path.parents:
        if (folder / "metadata" / table).is_file():
            return folder / "metadata" / table
    raise ReadError(f"no metadata/{table} lies in the folders above it: give metadata")


def _row(path: Path, table: Path) -> _Row:
    """What the table says of this volume, as numbers; its text is never repeated."""
    with as_read_error(table):
        found = _from_json(path, table) if table.suffix == ".json" else _from_csv(path, table)
        row = {column: _numbers(found.get(column)) for column in _NUMBERS}
        wrong = [name for name, count in _NUMBERS.items() if len(row[name]) != count]
        if wrong:
            raise ReadError(
                f"says nothing of {', '.join(wrong)} for {path.name}: give the metadata table "
                f"of its split"
            )
    return row


def _from_csv(path: Path, table: Path) -> dict[str, str]:
    with table.open(newline="", encoding="utf-8") as stream:
        rows = csv.DictReader(stream)
        return next((row for row in rows if row.get("VolumeName") == path.name), {})


def _from_json(path: Path, table: Path) -> dict[str, object]:
    try:
        content = read_json(table)
    except ValueError as error:
        raise ReadError(
            f"{table.name} beside it is not JSON ({error}): fetch it again"
        ) from None
    found = content.get(path.name, {}) if isinstance(content, dict) else {}
    return found if isinstance(found, dict) else {}


def _numbers(text: object) -> Float64[np.ndarray, "_"]:
    return np.array([float(number) for number in _NUMBER.findall(str(text))])


def _check_spacing(volume: Volume, row: _Row) -> None:
    told_mm = np.array([*row["ZSpacing"], *row["XYSpacing"]])
    if not np.allclose(volume.spacing_mm, told_mm, rtol=_UNEQUAL):
        found = " × ".join(f"{spacing:.4g}" for spacing in volume.spacing_mm)
        expected = " × ".join(f"{spacing:.4g}" for spacing in told_mm)
        raise GeometryError(
            f"voxels lie {found} mm apart, but its metadata table says {expected}: fetch the "
            f"corrected release of the volume and its table"
        )


def _affine(row: _Row) -> Float64[np.ndarray, "4 4"]:
    across, down = row["ImageOrientationPatient"].reshape(2, 3)
    row_mm, column_mm = row["XYSpacing"]
    step = np.cross(across, down) * row["ZSpacing"]
    return affine_from_lps(row["ImagePositionPatient"], step, down * row_mm, across * column_mm)
