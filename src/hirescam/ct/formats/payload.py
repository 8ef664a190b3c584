"""Payload: where a header says that its voxels are, and whether just those are there.

ITK returns a volume even where voxels are left over, or their checksum is wrong.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from hirescam.ct.validation import check_inflation
from hirescam.errors import ReadError

_CHUNK_BYTES = 1 << 20
_LONGEST_HEADER_BYTES = 1 << 20


@dataclass(frozen=True)
class Payload:
    """Voxels from byte `offset` of a file to its end; zlib's or gzip's if `packed`."""

    path: Path
    offset: int
    packed: bool


def check_payload(payload: Payload, *, announced: int) -> None:
    """Refuse voxels that are not `announced` bytes to the byte, or fail their checksum."""
    held = payload.path.stat().st_size - payload.offset
    if payload.packed:
        check_inflation(announced, held)
        held = _inflated_bytes(payload, most=announced)
    check_held(held, announced)


def check_held(held: int, announced: int) -> None:
    """Refuse `held` bytes of voxels where the header announces more or fewer."""
    if held != announced:
        raise ReadError(
            f"holds {held} bytes of voxels, its header announces {announced}: it is damaged "
            f"or cut short, or its header was changed; fetch it again from its source"
        )


def read_exactly(stream: BufferedIOBase, size: int) -> UInt8[np.ndarray, "byte"]:
    """The `size` bytes of voxels that are left in `stream`, to its end, where checksums are."""
    stored = np.empty(size, np.uint8)
    read = 0
    while read < size and (more := stream.readinto(stored.data[read:])):
        read += more
    check_held(read + len(stream.read(1)), size)
    return stored


def header_lines(stream: BufferedIOBase) -> Iterator[str]:
    """Lines of a text header, one by one, so that `stream` stands behind the last one taken."""
    while line := stream.readline(_LONGEST_HEADER_BYTES):
        if stream.tell() > _LONGEST_HEADER_BYTES:
            raise ReadError("has no end of its header: fetch it again from its source")
        yield line.decode("latin-1").rstrip("\r\n")


def beside(path: Path, name: str) -> Path:
    """The file of that name in the same folder: a header may point nowhere else."""
    if not name or Path(name).name != name or not path.with_name(name).is_file():
        raise ReadError(
            "its voxels are not in one file beside it: put them there, or write the scan as "
            "one .mha or .nrrd file"
        )
    return path.with_name(name)


def _inflated_bytes(payload: Payload, *, most: int) -> int:
    inflater = zlib.decompressobj(wbits=47)  # zlib or gzip, whichever it is
    count = 0
    with payload.path.open("rb") as stream:
        stream.seek(payload.offset)
        while not inflater.eof and count <= most:
            packed = inflater.unconsumed_tail or stream.read(_CHUNK_BYTES)
            if not packed:
                raise EOFError
            count += len(inflater.decompress(packed, _CHUNK_BYTES))
    return count
