"""MetaImage (.mha, .mhd): a text header, and voxels raw or by zlib.

https://itk.org/Wiki/ITK/MetaIO/Documentation
"""

from pathlib import Path

import numpy as np

from hirescam.ct.formats.payload import (
    UNITS_MM,
    add_field,
    data_file,
    header_lines,
    placed_in_lps,
    read_voxels,
    real_numbers,
    whole_numbers,
)
from hirescam.ct.validation import check_three_axes
from hirescam.ct.volume import Volume
from hirescam.errors import GeometryError, ReadError, VoxelError

_DATA = "ElementDataFile"  # by definition the last field
_ROTATION = ("TransformMatrix", "Orientation", "Rotation")
_ORIGIN = ("Offset", "Position", "Origin")
_BIG_ENDIAN = ("BinaryDataByteOrderMSB", "ElementByteOrderMSB")
# Numbers that no reader applies alike: field, the value that changes nothing.
_SCALING = {"ElementToIntensityFunctionSlope": 1.0, "ElementToIntensityFunctionOffset": 0.0}
_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2",
    "MET_INT": "i4", "MET_UINT": "u4", "MET_LONG": "i4", "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
_NO_UNIT = ("", "?", "unknown")


def read_metaimage(path: Path) -> Volume:
    """The scan in a .mha file, or in a .mhd file and the file of voxels that it names."""
    with path.open("rb") as stream:
        fields: dict[str, str] = {}
        for line in header_lines(stream):
            key, found, value = line.partition("=")
            if found:
                add_field(fields, key.strip(), value.strip())
            if key.strip() == _DATA:
                break
        end = stream.tell()
    _check(fields)
    sizes, matrix, origin, spacing = _geometry(fields)
    columns, rows, slices = sizes
    encoding = "gzip" if _is_true(fields, "CompressedData", "False") else "raw"
    file, offset = _voxels_at(path, fields, end, encoding)
    stored = read_voxels(
        file, (slices, rows, columns), _dtype(fields), encoding=encoding, offset=offset
    )
    return placed_in_lps(
        stored, origin, matrix * spacing[:, None], _unit_mm(fields), "DistanceUnits"
    )


def _check(fields: dict[str, str]) -> None:
    if _DATA not in fields:
        raise ReadError(f"has no {_DATA}, which ends its header: fetch it again")
    if fields.get("ObjectType", "Image").lower() != "image":
        raise ReadError("its ObjectType is no Image: give the scan itself")
    for name in ("NDims", "DimSize", "ElementType"):
        if name not in fields:
            raise ReadError(f"its header has no {name}: fetch it again")
    if "ElementSpacing" not in fields:
        raise GeometryError(
            "its header has no ElementSpacing: add it, in mm along columns, rows and slices"
        )
    if not any(name in fields for name in _ROTATION):
        raise GeometryError(
            "its header has no TransformMatrix that says how the patient lies: add it, or "
            "convert the scan again from its DICOM series"
        )
    if not _is_true(fields, "BinaryData", "True"):
        raise ReadError("stores its voxels as text: write the scan again with BinaryData")
    channels = whole_numbers(fields.get("ElementNumberOfChannels", "1"), "number of channels")
    if channels != [1]:
        raise VoxelError(
            f"has {channels[0]} values per voxel, expected 1: "
            f"give the CT itself, not a picture or a field"
        )
    for name, neutral in _SCALING.items():
        (value,) = real_numbers(fields.get(name, str(neutral)), name, 1)
        if value != neutral:
            raise VoxelError(
                f"its {name} is {value:g}, expected {neutral:g}: write the scan "
                f"again with Hounsfield units as its voxels"
            )


def _geometry(
    fields: dict[str, str],
) -> tuple[tuple[int, int, int], np.ndarray, list[float], np.ndarray]:
    """Size, directions (one axis a row), place and spacing: columns, rows, slices."""
    sizes = whole_numbers(fields["DimSize"], "DimSize")
    if whole_numbers(fields["NDims"], "NDims") != [len(sizes)]:
        raise VoxelError(
            f"its NDims is another number than that of its DimSize, {len(sizes)}: correct it"
        )
    count = len(sizes)
    while len(sizes) > 3 and sizes[-1] == 1:  # one point in time is no axis
        sizes.pop()
    check_three_axes(sizes)
    spacing = np.array(real_numbers(fields["ElementSpacing"], "ElementSpacing", count))[:3]
    if (spacing <= 0).any():
        raise GeometryError("its ElementSpacing is not above 0: correct it, in mm")
    name = next(name for name in _ROTATION if name in fields)
    matrix = np.array(real_numbers(fields[name], name, count * count)).reshape(count, count)
    places = [name for name in _ORIGIN if name in fields]
    origin = [0.0] * count if not places else real_numbers(fields[places[0]], places[0], count)
    for other in places[1:]:
        if real_numbers(fields[other], other, count) != origin:
            raise GeometryError(f"its {places[0]} and {other} differ: remove the wrong one")
    columns, rows, slices = sizes
    return (columns, rows, slices), matrix[:3, :3], origin[:3], spacing


def _dtype(fields: dict[str, str]) -> np.dtype:
    kind = _TYPES.get(fields["ElementType"].upper())
    if kind is None:
        raise VoxelError("its ElementType is no single number: give the CT itself")
    msb = [_is_true(fields, name, "False") for name in _BIG_ENDIAN if name in fields]
    if len(set(msb)) > 1:
        raise ReadError("states two byte orders: remove the wrong one")
    return np.dtype((">" if any(msb) else "<") + kind)


def _voxels_at(path: Path, fields: dict[str, str], end: int, encoding: str) -> tuple[Path, int]:
    (skipped,) = whole_numbers(fields.get("HeaderSize", "0") or "0", "HeaderSize")[:1]
    if skipped < -1 or (skipped and encoding != "raw"):
        raise ReadError("its HeaderSize is below −1, or not 0 before compressed voxels")
    name = fields[_DATA]
    if name.upper() == "LOCAL":
        if skipped > 0:
            raise ReadError("its HeaderSize skips voxels of its own file: set it to 0")
        return path, end
    if name.upper().split()[:1] == ["LIST"] or "%" in name:
        raise ReadError(
            "its voxels are not in one file beside it but in a list of files, which may name "
            "any file: write the scan as one .mha file"
        )
    return data_file(path, name), skipped


def _unit_mm(fields: dict[str, str]) -> float:
    unit = fields.get("DistanceUnits", "").strip().lower()
    if unit in _NO_UNIT:
        return 1.0
    if unit not in UNITS_MM:
        raise GeometryError("its DistanceUnits are none of mm, cm, m and um: write it in mm")
    return UNITS_MM[unit]


def _is_true(fields: dict[str, str], name: str, absent: str) -> bool:
    value = fields.get(name, absent).lower()
    if value not in ("true", "false", "1", "0", "t", "f"):
        raise ReadError(f"its {name} is neither True nor False: correct it")
    return value in ("true", "1", "t")
