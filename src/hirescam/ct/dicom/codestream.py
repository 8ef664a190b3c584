"""Codestream: what a compressed frame shows of itself before it is decoded.

A decoder takes memory for the size that the frame states, not for what its DICOM header does;
and of a frame that was cut short some make a picture, and CharLS up to 17 s of work.
JPEG and JPEG-LS: ISO/IEC 10918-1 and 14495-1, frame header; JPEG 2000: ISO/IEC 15444-1, A.5.1.
"""

import struct
from collections.abc import Callable

from pydicom.uid import (
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
)

_NO_SIZE = (0xC4, 0xC8, 0xCC)  # tables and reserved markers among those of frame headers
_LONE = (0x01, *range(0xD0, 0xD9))  # markers without a segment
_BOX = b"jp2c"
_END = b"\xff\xd9"  # of a frame in all three


def stated_size(frame: bytes, syntax: str) -> tuple[int, int] | None:
    """Rows and columns; None for encodings that state none."""
    return _READERS[syntax](frame) if syntax in _READERS else None


def is_whole(frame: bytes, syntax: str) -> bool:
    """Whether the frame ends as it must, but for padding; those of other encodings need not."""
    return syntax not in _READERS or _is_boxed(frame) or frame.rstrip(b"\0").endswith(_END)


def _is_boxed(frame: bytes) -> bool:
    return frame[4:8] == b"jP  "


def _jpeg(frame: bytes) -> tuple[int, int]:
    at = 2
    while True:
        fill, marker = frame[at], frame[at + 1]
        if fill != 0xFF:
            raise ValueError
        if marker == 0xFF or marker in _LONE:
            at += 1 if marker == 0xFF else 2
        elif marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in _NO_SIZE):
            rows, columns = struct.unpack_from(">HH", frame, at + 5)
            return rows, columns
        else:
            at += 2 + struct.unpack_from(">H", frame, at + 2)[0]


def _jpeg_2000(frame: bytes) -> tuple[int, int]:
    at = frame.index(_BOX) + len(_BOX) if _is_boxed(frame) else 0
    if frame[at : at + 4] != b"\xff\x4f\xff\x51":
        raise ValueError
    right, bottom, left, top = struct.unpack_from(">4I", frame, at + 8)
    return bottom - top, right - left


_READERS: dict[str, Callable[[bytes], tuple[int, int]]] = {
    **dict.fromkeys(JPEGTransferSyntaxes, _jpeg),
    **dict.fromkeys(JPEGLSTransferSyntaxes, _jpeg),
    **dict.fromkeys(JPEG2000TransferSyntaxes, _jpeg_2000),
}
