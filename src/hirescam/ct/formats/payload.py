"""Payload: voxels in a file, raw or compressed, of exactly the size that a header announces.

NRRD and MetaImage headers are parsed here and in their own files, and no foreign parser ever
sees one: that of ITK crashes on some, and reads any file of the machine for others.
"""

import bz2
import math
import re
import zlib
from collections.abc import Iterator, Sequence
from io import BufferedIOBase, BufferedReader, RawIOBase
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64, Shaped, UInt8

from hirescam.ct.validation import announced_bytes, check_inflation, hounsfield
from hirescam.ct.volume import Volume, affine_from_lps
from hirescam.errors import GeometryError, ReadError

_CHUNK_BYTES = 1 << 20
_LONGEST_HEADER_BYTES = 1 << 20
_LONGEST_LINE_BYTES = 1 << 18
_MOST_PADDING_BYTES = 1 << 20
_LARGEST = 1e9
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
UNITS_MM = {
    **dict.fromkeys(("mm", "millimeter", "millimeters", "millimetre", "millimetres"), 1.0),
    **dict.fromkeys(("cm", "centimeter", "centimeters", "centimetre", "centimetres"), 10.0),
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), 1000.0),
    **dict.fromkeys(("um", "µm", "micron", "microns", "micrometer", "micrometers"), 0.001),
}
"""Units of length that headers name, in mm."""
PLAUSIBLE_SPACING_MM = (0.05, 20.0)


# --- bytes -------------------------------------------------------------------------------


class _Gzip:
    """Members of gzip one after the other, as one stream; zlib's alone is taken too."""

    def __init__(self) -> None:
        self.part: Any = zlib.decompressobj(wbits=47)

    def again(self) -> None:
        self.part = zlib.decompressobj(wbits=31)


class _Bzip2:
    def __init__(self) -> None:
        self.part: Any = bz2.BZ2Decompressor()

    again = __init__


class _Inflated(RawIOBase):
    """The content of a compressed file; whatever follows its end must be mere padding."""

    def __init__(self, stream: BufferedIOBase, kind: type[_Gzip] | type[_Bzip2]) -> None:
        self.stream, self.kind = stream, kind()
        self.left, self.ended = b"", False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), _CHUNK_BYTES)
        while wanted and not self.ended:
            part = self.kind.part
            if part.eof:
                self._next_member(part.unused_data)
                continue
            tail = self.left
            needs = getattr(part, "needs_input", not tail)
            if needs and not tail:
                tail = self.stream.read(_CHUNK_BYTES)
                if not tail:
                    raise EOFError
            content = part.decompress(tail, wanted)
            self.left = getattr(part, "unconsumed_tail", b"")
            if content:
                buffer[: len(content)] = content
                return len(content)
        return 0

    def _next_member(self, rest: bytes) -> None:
        rest = rest or self.stream.read(_CHUNK_BYTES)
        if len(rest) < 4:
            rest += self.stream.read(_CHUNK_BYTES)
        if rest.startswith((b"\x1f\x8b", b"BZh")):
            self.kind.again()
            self.left = rest
            return
        tail = rest + self.stream.read(_MOST_PADDING_BYTES)
        if len(tail) > 1 and tail.strip(b"\0\r\n "):
            raise ReadError(
                "has other content behind its compressed voxels: it is damaged, or two files "
                "were joined; fetch it again from its source"
            )
        self.ended = True


def inflated(stream: BufferedIOBase, encoding: str) -> BufferedReader:
    """`stream`, from where it stands, as it was before "gzip" (or zlib) or "bzip2"."""
    kind: type[_Gzip] | type[_Bzip2] = _Bzip2 if encoding == "bzip2" else _Gzip
    return BufferedReader(_Inflated(stream, kind), _CHUNK_BYTES)


def check_held(held: int, announced: int) -> None:
    """Refuse `held` bytes of voxels where the header announces more or fewer."""
    if held != announced:
        raise ReadError(
            f"holds {held} bytes of voxels, its header announces {announced}: it is damaged "
            f"or cut short, or its header was changed; fetch it again from its source"
        )


def read_exactly(
    stream: BufferedIOBase,
    size: int,
    *,
    padding: Literal["none", "byte", "zeros"] = "none",
    held: int | None = None,
) -> UInt8[np.ndarray, "byte"]:
    """The `size` bytes of voxels in `stream`, read to its end, where checksums are.

    `padding` says what may follow: nothing, one byte, or one byte or any number of zeros.
    `held` is how many bytes there are, if that is known.
    """
    stored = np.empty(size, np.uint8)
    read = 0
    while read < size and (more := stream.readinto(stored.data[read:])):
        read += more
    if read < size:
        check_held(read if held is None else held, size)
    tail = stream.read(_MOST_PADDING_BYTES + 1)
    zeros = not tail.strip(b"\0") and len(tail) <= _MOST_PADDING_BYTES
    if (padding != "none" and len(tail) == 1) or (padding == "zeros" and zeros):
        return stored
    check_held(read + len(tail) if held is None else held, size)
    return stored


def read_voxels(
    path: Path,
    shape: tuple[int, int, int],
    dtype: np.dtype,
    *,
    encoding: str = "raw",
    offset: int = 0,
) -> Shaped[np.ndarray, "slice row column"]:
    """Voxels from byte `offset` of a file on; −1 takes the last ones of a raw file."""
    check_regular(path)
    size = announced_bytes(shape, dtype.itemsize)
    held = path.stat().st_size
    with path.open("rb") as stream:
        if offset < 0:
            offset = held - size
        if (encoding == "raw" and held - offset < size) or offset < 0:
            check_held(held - max(offset, 0), size)
        stream.seek(offset)
        if encoding == "raw":
            stored = read_exactly(stream, size, padding="byte")
        else:
            check_inflation(size, held - offset)
            stored = read_exactly(inflated(stream, encoding), size, padding="byte")
    return stored.view(dtype).reshape(shape)


def check_regular(path: Path) -> None:
    """Refuse pipes, devices and sockets, which may never end."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise ReadError("is no regular file but a pipe or a device: give a file or a folder")


# --- text headers -------------------------------------------------------------------------


def header_lines(stream: BufferedIOBase) -> Iterator[str]:
    """Lines of a text header, one by one, so that `stream` stands behind the last one taken."""
    while line := stream.readline(_LONGEST_LINE_BYTES + 1):
        if stream.tell() > _LONGEST_HEADER_BYTES or len(line) > _LONGEST_LINE_BYTES:
            raise ReadError("has no end of its header: fetch it again from its source")
        yield line.decode("latin-1").rstrip("\r\n")


def add_field(fields: dict[str, str], name: str, value: str) -> None:
    """Put a field of a header on record; one that is there with another value is refused."""
    if fields.setdefault(name, value) != value:
        raise ReadError(
            "states one field of its header twice, with different values: remove the wrong one"
        )


def whole_numbers(text: str, name: str) -> list[int]:
    """Whole numbers separated by blanks, as a header states them."""
    words = text.split()
    if not words or not all(_WHOLE.fullmatch(word) for word in words):
        raise ReadError(f"its {name} holds something else than whole numbers: fetch it again")
    return [int(word) for word in words]


def real_numbers(text: str, name: str, count: int) -> list[float]:
    """`count` finite numbers separated by blanks."""
    words = text.split()
    numbers = [float(word) for word in words if _NUMBER.fullmatch(word)]
    if len(words) != count or len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise GeometryError(
            f"its {name} holds {len(numbers)} numbers in {len(words)} words, expected {count} "
            f"numbers: fetch it again, or convert the scan again from its DICOM series"
        )
    if max(map(abs, numbers), default=0.0) > _LARGEST:
        raise GeometryError(
            f"its {name} holds a number beyond {_LARGEST:g}, which no place or length has: "
            f"convert the scan again from its DICOM series"
        )
    return numbers


def data_file(path: Path, name: str) -> Path:
    """The file of voxels that a header names: beside it, or in a folder beside it."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    inside = bool(parts) and not name.startswith(("/", "\\")) and ".." not in parts
    if not inside or ":" in parts[0] or not path.parent.joinpath(*parts).is_file():
        raise ReadError(
            "its voxels are not in one file beside it: put them there, or write the scan as "
            "one .mha or .nrrd file"
        )
    return path.parent.joinpath(*parts)


def placed_in_lps(
    stored: Shaped[np.ndarray, "slice row column"],
    origin: Sequence[float],
    steps: Float64[np.ndarray, "3 3"],
    unit_mm: float,
    field: str,
) -> Volume:
    """The volume of voxels whose axes step by `steps` (column, row, slice) in LPS."""
    steps, origin_mm = steps * unit_mm, np.array(origin) * unit_mm
    check_unit(np.linalg.norm(steps, axis=1), unit_mm, f"its {field} are not mm")
    planes = [hounsfield(plane) for plane in stored]
    return Volume(np.stack(planes), affine_from_lps(origin_mm, *steps[::-1]))


def check_unit(spacing_mm: Float64[np.ndarray, "3"], unit_mm: float, said: str) -> None:
    """Refuse a unit other than mm under which voxels would have the size of no scan."""
    low, high = PLAUSIBLE_SPACING_MM
    if unit_mm != 1 and not ((spacing_mm >= low) & (spacing_mm <= high)).all():
        found = " × ".join(f"{spacing:.4g}" for spacing in spacing_mm)
        raise GeometryError(
            f"{said}, and taken so, voxels lie {found} mm apart, expected {low:g} to {high:g}: "
            f"correct the unit or the spacing"
        )
