"""MetaImage: whether all voxels arrived, which ITK does not make sure of.

ITK returns a volume even where the checksum of compressed voxels is wrong.
"""

import zlib
from pathlib import Path
from typing import BinaryIO

from hirescam.errors import ReadError

_CHUNK_BYTES = 1 << 20


def check_complete(path: Path, *, voxel_bytes: int) -> None:
    """Refuse a file whose voxels fill less than `voxel_bytes`, or fail their checksum."""
    with path.open("rb") as stream:
        fields = _fields(stream)
        name = fields.get("ElementDataFile", "")
        compressed = fields.get("CompressedData", "").lower() == "true"
        if name.upper() == "LOCAL":
            found = _data_bytes(stream, compressed=compressed)
        else:
            with _beside(path, name).open("rb") as data:
                found = _data_bytes(data, compressed=compressed)
    if found < voxel_bytes:
        raise ReadError(
            f"holds {found} bytes of voxels, its header announces {voxel_bytes}: "
            f"fetch it again from its source"
        )


def _fields(stream: BinaryIO) -> dict[str, str]:
    """What the header says; leaves `stream` where voxels may begin."""
    fields = {}
    for line in stream:
        key, _, value = line.decode("latin-1").partition("=")
        fields[key.strip()] = value.strip()
        if key.strip() == "ElementDataFile":  # by definition the last line
            break
    return fields


def _beside(path: Path, name: str) -> Path:
    data = path.with_name(Path(name).name or path.name)
    if Path(name).name != name or not data.is_file():
        raise ReadError(
            "its voxels are not in one file beside it: put them there, or "
            "write the scan as .mha"
        )
    return data


def _data_bytes(stream: BinaryIO, *, compressed: bool) -> int:
    inflater = zlib.decompressobj(wbits=47)  # zlib or gzip, whichever it is
    count = 0
    while chunk := stream.read(_CHUNK_BYTES):
        count += len(inflater.decompress(chunk) if compressed else chunk)
    if compressed and not inflater.eof:
        raise EOFError
    return count
