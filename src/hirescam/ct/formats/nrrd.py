"""NRRD (.nrrd, .nhdr): a text header, and voxels raw, by gzip or by bzip2.

https://teem.sourceforge.net/nrrd/format.html
"""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float64

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

# Where its axes lead, as signs that turn them to LPS.
_SPACES = {
    **dict.fromkeys(("left-posterior-superior", "lps"), (1, 1, 1)),
    **dict.fromkeys(("right-anterior-superior", "ras"), (-1, -1, 1)),
    **dict.fromkeys(("left-anterior-superior", "las"), (1, -1, 1)),
}
_PLACE = ("space directions", "space origin")
_ENCODINGS = {"raw": "raw", "gzip": "gzip", "gz": "gzip", "bzip2": "bzip2", "bz2": "bzip2"}
_TYPES = {
    **dict.fromkeys(("signed char", "int8", "int8_t"), "i1"),
    **dict.fromkeys(("uchar", "unsigned char", "uint8", "uint8_t"), "u1"),
    **dict.fromkeys(
        ("short", "short int", "signed short", "signed short int", "int16", "int16_t"), "i2"
    ),
    **dict.fromkeys(
        ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), "u2"
    ),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t"), "i4"),
    **dict.fromkeys(("uint", "unsigned int", "uint32", "uint32_t"), "u4"),
    **dict.fromkeys(
        ("longlong", "long long", "long long int", "signed long long", "int64", "int64_t"), "i8"
    ),
    **dict.fromkeys(
        ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
        "u8",
    ),
    "float": "f4",
    "double": "f8",
}
_OTHER_NAMES = {
    "datafile": "data file", "byteskip": "byte skip", "lineskip": "line skip",
    "oldmin": "old min", "oldmax": "old max",
}  # fmt: skip
_FIELD = re.compile(r"([^:=]+):(?!=)\s*(.*)")
_VECTOR = re.compile(r"\s*(none|\(([^()]*)\))", re.IGNORECASE)


def read_nrrd(path: Path) -> Volume:
    """The scan in a .nrrd file, or in a .nhdr file and the file of voxels that it names."""
    with path.open("rb") as stream:
        lines = header_lines(stream)
        if not next(lines, "").startswith("NRRD000"):
            raise ReadError("does not begin as NRRD does: convert the scan to NRRD again")
        fields: dict[str, str] = {}
        for line in lines:
            if not line:
                break
            named = _FIELD.fullmatch(line)
            if named and not line.startswith("#"):
                name = named[1].strip().lower()
                add_field(fields, _OTHER_NAMES.get(name, name), named[2].strip())
        end = stream.tell()
    _check(fields)
    encoding = _ENCODINGS[fields["encoding"].lower()]
    sizes, steps, origin = _geometry(fields)
    file, offset = (path, end)
    if "data file" in fields:
        file, offset = data_file(path, _one_file(fields["data file"])), 0
    columns, rows, slices = sizes
    skipped = _skipped(fields, encoding)
    stored = read_voxels(
        file,
        (slices, rows, columns),
        _dtype(fields),
        encoding=encoding,
        offset=-1 if skipped < 0 else offset + skipped,
    )
    return placed_in_lps(stored, origin, steps, _unit_mm(fields), "`space units`")


def _check(fields: dict[str, str]) -> None:
    for name in ("type", "dimension", "sizes", "encoding"):
        if name not in fields:
            raise ReadError(f"its header has no `{name}`: fetch it again from its source")
    sizes = whole_numbers(fields["sizes"], "sizes")
    if len(sizes) < 3 or sum(size != 1 for size in sizes) > 3:
        check_three_axes(sizes)
    if "space" not in fields:
        raise GeometryError(
            "its header has no `space` that says where the image lies in the patient: convert "
            "it again from its DICOM series"
        )
    if fields["space"].lower() not in _SPACES:
        raise GeometryError(
            "its `space` is none of left-posterior-superior, right-anterior-superior and "
            "left-anterior-superior: write the scan again in one of them"
        )
    if not all(name in fields for name in _PLACE):
        raise GeometryError(
            "its header lacks `space directions` or `space origin`: convert the scan again "
            "from its DICOM series"
        )
    if any(name in fields for name in ("old min", "old max")):
        raise VoxelError(
            "its `old min` says that values were quantised: write the scan again with "
            "Hounsfield units as its voxels"
        )
    if fields["encoding"].lower() not in _ENCODINGS or fields.get("line skip", "0") != "0":
        raise ReadError(
            "stores its voxels neither raw nor by gzip or bzip2 from the end of the header "
            "on: write the scan again so"
        )


def _geometry(
    fields: dict[str, str],
) -> tuple[tuple[int, int, int], Float64[np.ndarray, "3 3"], list[float]]:
    """Size, steps (one axis a row) and place in LPS: columns, rows, slices."""
    sizes = whole_numbers(fields["sizes"], "sizes")
    if whole_numbers(fields["dimension"], "dimension") != [len(sizes)]:
        raise VoxelError(
            f"its `dimension` is another number than that of its `sizes`, {len(sizes)}"
        )
    vectors = _vectors(fields["space directions"], len(sizes))
    if len(sizes) > 3:  # a list of one is no axis
        kept = [axis for axis, size in enumerate(sizes) if size != 1 or vectors[axis]]
        sizes, vectors = [sizes[axis] for axis in kept], [vectors[axis] for axis in kept]
    check_three_axes(sizes)
    found = [vector for vector in vectors if vector]
    if len(found) != 3:
        raise GeometryError(
            "its `space directions` give no direction to one of its axes: give the CT itself"
        )
    signs = np.array(_SPACES[fields["space"].lower()], float)
    steps = np.array(found) * signs
    _check_spacings(fields, np.linalg.norm(steps, axis=1))
    (origin,) = _vectors(fields["space origin"], 1)
    if origin is None:
        raise GeometryError("its `space origin` is none: convert the scan again")
    columns, rows, slices = sizes
    return (columns, rows, slices), steps, list(np.array(origin) * signs)


def _vectors(text: str, count: int) -> list[list[float] | None]:
    found: list[list[float] | None] = []
    at = 0
    while len(found) < count and (vector := _VECTOR.match(text, at)):
        at = vector.end()
        inside = vector[2]
        found.append(
            None if inside is None else real_numbers(inside.replace(",", " "), "vector", 3)
        )
    if len(found) != count or text[at:].strip():
        raise GeometryError(
            f"its `space directions` or `space origin` holds {len(found)} vectors, expected "
            f"{count} of three numbers: convert the scan again from its DICOM series"
        )
    return found


def _check_spacings(fields: dict[str, str], steps: Float64[np.ndarray, "3"]) -> None:
    """Refuse `spacings` that contradict `space directions`, beside which they should not be."""
    stated = [word for word in fields.get("spacings", "").split() if word.lower() != "nan"]
    if len(stated) == 3 and not np.allclose(
        real_numbers(" ".join(stated), "spacings", 3), steps, rtol=0.01
    ):
        raise GeometryError(
            "its `spacings` and `space directions` differ: remove the one that is wrong"
        )


def _dtype(fields: dict[str, str]) -> np.dtype:
    kind = _TYPES.get(fields["type"].lower())
    if kind is None:
        raise VoxelError("its `type` is no single number: give the CT itself")
    endian = fields.get("endian", "").lower()
    if endian not in ("little", "big") and not kind.endswith("1"):
        raise ReadError("its header has no `endian` (little or big): write the scan again")
    return np.dtype((">" if endian == "big" else "<") + kind)


def _one_file(name: str) -> str:
    if name.upper().split()[:1] == ["LIST"] or "%" in name:
        raise ReadError(
            "its voxels are not in one file beside it but in a list of files, which may name "
            "any file: write the scan as one .nrrd file"
        )
    return name


def _skipped(fields: dict[str, str], encoding: str) -> int:
    (skipped,) = whole_numbers(fields.get("byte skip", "0"), "byte skip")[:1]
    if skipped not in (0, -1) or (skipped and encoding != "raw"):
        raise ReadError(
            "stores its voxels neither raw nor compressed from the end of the header on: its "
            "`byte skip` is neither 0 nor −1; write the scan again"
        )
    return skipped


def _unit_mm(fields: dict[str, str]) -> float:
    units = set(fields.get("space units", "mm").replace('"', " ").lower().split())
    if len(units) == 1 and units <= set(UNITS_MM):
        return UNITS_MM[units.pop()]
    if not units:
        return 1.0
    raise GeometryError("its `space units` are not mm: write the scan again in mm")
