"""Pixels: each slice decoded and rescaled by its own header, several at a time."""

import os
import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from io import SEEK_END
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Bool, Shaped
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import Decoder, get_decoder
from pydicom.uid import (
    JPEG2000,
    JPEG2000Lossless,
    JPEG2000TransferSyntaxes,
    JPEGExtended12Bit,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
)

from hirescam.ct.dicom.geometry import AGAIN, Plane
from hirescam.ct.dicom.headers import UNDEFINED_BYTES, Header, frames, pixel_stream, whole
from hirescam.ct.dicom.sources import Stream
from hirescam.ct.validation import Repairs, as_read_error, check_inflation, hounsfield
from hirescam.ct.volume import AIR_HU
from hirescam.errors import MissingPackageError, ReadError, VoxelError

# --- Muted: decoders in C and C++ print on the terminal; what matters of it they raise as well


@contextmanager
def silence_native_output() -> Iterator[None]:
    """Within, nothing that this process prints as an error reaches the terminal."""
    terminal = os.dup(2)
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)


# --- Codestream: what a compressed frame shows of itself before it is decoded
# A decoder takes memory for the size that the frame states, not for what its DICOM header
# does; and of a frame that was cut short some make a picture, and CharLS up to 17 s of work.
# JPEG and JPEG-LS: ISO/IEC 10918-1 and 14495-1, frame header; JPEG 2000: 15444-1, A.5.1.

_NO_SIZE = (0xC4, 0xC8, 0xCC)  # tables and reserved markers among those of frame headers
_LONE = (0x01, *range(0xD0, 0xD9))  # markers without a segment
_BOX = b"jp2c"
_J2K_START = b"\xff\x4f\xff\x51"  # 43 bytes on, the top bit says whether there is a sign
_NEAR_END = 16  # real files end in one byte of padding of any value; none contains the marker
_END = b"\xff\xd9"  # of a frame in all three


def stated_size(frame: bytes, syntax: str) -> tuple[int, int] | None:
    """Rows and columns; None for encodings that state none."""
    return _READERS[syntax](frame) if syntax in _READERS else None


def is_whole(frame: bytes, syntax: str) -> bool:
    """Whether the frame ends as it must, but for padding; those of other encodings need not."""
    return syntax not in _READERS or _is_boxed(frame) or _ends(frame)


def _ends(frame: bytes) -> bool:
    return _END in frame.rstrip(b"\0")[-_NEAR_END:]


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
    if frame[at : at + 4] != _J2K_START:
        raise ValueError
    right, bottom, left, top = struct.unpack_from(">4I", frame, at + 8)
    return bottom - top, right - left


_READERS: dict[str, Callable[[bytes], tuple[int, int]]] = {
    **dict.fromkeys(JPEGTransferSyntaxes, _jpeg),
    **dict.fromkeys(JPEGLSTransferSyntaxes, _jpeg),
    **dict.fromkeys(JPEG2000TransferSyntaxes, _jpeg_2000),
}


# --- Padding: stored values that say "nothing was measured here", which is air
# DICOM PS3.3, C.7.5.1.1.2: Pixel Padding Value, or all values from it to its Range Limit.

_HIGHEST_AIR_HU = -800  # lung is denser than this only where it is ill; fat and water always


def padding_range(header: Header) -> tuple[int, int] | None:
    """Lowest and highest stored value that stands for padding."""
    ends = [whole(header, name) for name in ("PixelPaddingValue", "PixelPaddingRangeLimit")]
    stated = [_as_stored(end, header) for end in ends if end is not None]
    return None if ends[0] is None else (min(stated), max(stated))


def is_padding(
    stored: Shaped[np.ndarray, "row column"], header: Header
) -> Bool[np.ndarray, "row column"] | None:
    """Where nothing was measured; None if the header names no padding."""
    found = padding_range(header)
    if found is None:
        return None
    low, high = found
    return (stored >= low) & (stored <= high)


def record_padding(planes: Iterable[Plane], doubtful: int, repairs: Repairs) -> None:
    """Refuse padding that voxels carry and that is also the value of tissue."""
    if not doubtful:
        return
    ends = [(plane, padding_range(plane.header)) for plane in planes]
    highest_hu = max(
        max(end * plane.slope + plane.intercept for end in found)
        for plane, found in ends
        if found
    )
    repairs.make(
        f"padding of up to {highest_hu:.0f} HU was taken for air, which also turns "
        f"tissue of that value into air: {doubtful} voxels",
        instead_of=VoxelError(
            f"PixelPaddingValue stands for {highest_hu:.0f} HU, which may be tissue and "
            f"{doubtful} voxels have, expected less than {_HIGHEST_AIR_HU} HU: remove it from "
            f"the headers"
        ),
    )


def _as_stored(value: int, header: Header) -> int:
    """The value with the sign of the pixels; it is often written without."""
    bits = whole(header, "BitsAllocated") or 16
    value %= 1 << bits
    return (
        value - (1 << bits)
        if whole(header, "PixelRepresentation") and value >> (bits - 1)
        else value
    )


# --- Pixels: each slice decoded and rescaled by its own header, several at a time

Item = TypeVar("Item")

_JPEG_2000 = (JPEG2000Lossless, JPEG2000)
_BY_EXTRA = (*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes, *_JPEG_2000)
_PREFERRED = {  # to GDCM, which pydicom takes first and which prints on the terminal
    **dict.fromkeys(_JPEG_2000, "pillow"),
    **dict.fromkeys(JPEGLSTransferSyntaxes, "pyjpegls"),
}
_THREADS = min(4, os.cpu_count() or 1)
_SIGN_BIT = 1 << 15
_FEW_VOXELS = 1e-4
_HIGHEST_HU = 4100.0  # of twelve bits; metal is cut there
_BITS = ("BitsAllocated", "BitsStored", "PixelRepresentation")


def decoded(
    planes: Sequence[Plane], repairs: Repairs | None = None
) -> Shaped[np.ndarray, "slice row column"]:
    """HU of the slices, in order; int16 where that is exact, else float32.

    Padding that may be tissue is refused, or put on record, if `repairs` are given.
    """
    files: dict[Header, list[int]] = {}
    for index, plane in enumerate(planes):
        files.setdefault(plane.header, []).append(index)
    first = planes[0]
    voxels = np.empty((len(planes), first.rows, first.columns), np.int16)
    fractions: dict[int, Shaped[np.ndarray, "row column"]] = {}

    doubtful: list[int] = []

    def fill(file: tuple[Header, list[int]]) -> None:
        header, indices = file
        with as_read_error(header.source.path), pixel_stream(header) as stream:
            for index in indices:
                values, in_doubt = _rescaled(planes[index], stream)
                doubtful.append(in_doubt)
                if values.dtype == np.int16:
                    voxels[index] = values
                else:
                    fractions[index] = values

    by_gdcm = any(header.syntax in JPEGTransferSyntaxes for header in files)
    with silence_native_output() if by_gdcm else nullcontext():
        if any(header.syntax.is_encapsulated for header in files):
            _in_threads(fill, files.items())
        else:  # nothing to decode: threads would only wait for each other
            for file in files.items():
                fill(file)
    if repairs is not None:
        record_padding(planes, sum(doubtful), repairs)
    if not fractions:
        return voxels
    exact = voxels.astype(np.float32)
    for index, values in fractions.items():
        exact[index] = values
    return exact


def _in_threads(work: Callable[[Item], None], items: Iterable[Item]) -> None:
    """`work` on each item; the first error ends all of it."""
    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            results = pool.map(work, items)
        except RuntimeError:  # all that `map` itself raises: a thread could not be started
            raise MemoryError from None
        deque(results, maxlen=0)


def check_decoders(planes: Sequence[Plane]) -> None:
    """Refuse, before anything is decoded, what no installed package decodes."""
    for header in {plane.header.syntax: plane.header for plane in planes}.values():
        with as_read_error(header.source.path):
            _decoder(header)


def _decoder(header: Header) -> Decoder:
    try:
        decoder = get_decoder(header.syntax)
    except NotImplementedError:
        decoder = None
    if decoder is None or not (decoder.is_available or header.syntax in _BY_EXTRA):
        raise ReadError("is encoded as no package here decodes: export the series uncompressed")
    if not decoder.is_available:
        raise MissingPackageError(
            f"decoding {header.syntax.name} needs an optional package: "
            f'pip install "hirescam[dicom]"'
        )
    return decoder


def _rescaled(plane: Plane, stream: Stream) -> tuple[Shaped[np.ndarray, "row column"], int]:
    """HU of one slice, and how many of its voxels are padding that may be tissue."""
    stored = _stored(plane, stream)
    padding = is_padding(stored, plane.header)
    _check_sign(stored if padding is None else stored[~padding], plane)
    if padding is None or not padding.any():
        return hounsfield(stored, plane.slope, plane.intercept), 0
    found = padding_range(plane.header)
    assert found is not None
    highest_hu = max(end * plane.slope + plane.intercept for end in found)
    doubtful = int(padding.sum()) if highest_hu > _HIGHEST_AIR_HU else 0
    lowest = stored[~padding].min(
        initial=stored.max()
    )  # of no matter, and fits if the rest does
    values = hounsfield(np.where(padding, lowest, stored), plane.slope, plane.intercept)
    return np.where(padding, values.dtype.type(AIR_HU), values), doubtful


def _check_sign(stored: Shaped[np.ndarray, "..."], plane: Plane) -> None:
    """Refuse values with a sign under a header that says that there is none."""
    if stored.dtype != np.uint16 or not stored.size or stored.max() < _SIGN_BIT:
        return
    high = stored[stored >= _SIGN_BIT]
    wrapped = high.astype(np.int32) - (1 << 16)
    as_signed = wrapped * plane.slope + plane.intercept
    likely = int((np.abs(as_signed) < _HIGHEST_HU).sum())
    if likely > max(_FEW_VOXELS * stored.size, 1):
        raise VoxelError(
            f"says that its values have no sign (PixelRepresentation 0), but {likely} of "
            f"{stored.size} are {_SIGN_BIT} or more, which no CT holds, and plausible with "
            f"one: correct PixelRepresentation, or {AGAIN}"
        )


def _stored(plane: Plane, stream: Stream) -> Shaped[np.ndarray, "row column"]:
    header, decoder = plane.header, _decoder(plane.header)
    bits_allocated, bits_stored, signed = (whole(header, name) for name in _BITS)
    stated = dict(zip(_BITS, (bits_allocated, bits_stored, signed), strict=True))
    missing = [name for name, number in stated.items() if number is None]
    if missing or not bits_allocated or not bits_stored or signed not in (0, 1):
        raise VoxelError(
            f"has no valid {' and no '.join(missing) or 'BitsStored'}, which says how its "
            f"values are kept: {AGAIN}"
        )
    if header.pixels_at is None:
        raise EOFError
    options: dict[str, Any] = {
        "rows": plane.rows,
        "columns": plane.columns,
        "number_of_frames": frames(header),
        "samples_per_pixel": 1,
        "photometric_interpretation": "MONOCHROME2",  # which of both only changes the display
        "pixel_representation": signed,
        "bits_allocated": bits_allocated,
        "bits_stored": bits_stored,
        "pixel_keyword": "PixelData",
        "view_only": True,  # nobody writes into it, so that it need not be copied
    }
    frame_bytes = plane.rows * plane.columns * bits_allocated // 8
    stream.seek(header.pixels_at)
    frame = None
    if header.syntax.is_encapsulated:
        frame = _compressed(plane, stream, frame_bytes)
    else:
        _check_native(plane, stream, frame_bytes)
    plugin = _PREFERRED.get(header.syntax, "")
    options["decoding_plugin"] = plugin if plugin in decoder.available_plugins else ""
    try:
        decoded_frame = decoder.as_array(stream, index=plane.frame, raw=True, **options)[0]
    except (RuntimeError, ValueError):
        if header.syntax == JPEGExtended12Bit and bits_stored > 8:
            raise ReadError(
                "is lossy JPEG of 12 bits, which no installed package decodes: install "
                "pylibjpeg-libjpeg, or export the series uncompressed"
            ) from None
        raise
    if frame is not None and header.syntax in _JPEG_2000:
        _check_unsigned_stream(decoded_frame, frame, plane)
    return decoded_frame


def _check_native(plane: Plane, stream: Stream, frame_bytes: int) -> None:
    """Refuse a file that is too short for its frames before memory is taken for them."""
    needed = frame_bytes * frames(plane.header)
    if plane.header.pixels_bytes < needed or plane.header.pixels_bytes == UNDEFINED_BYTES:
        raise EOFError
    begin = stream.tell()
    held = stream.seek(0, SEEK_END) - begin
    stream.seek(begin)
    if held < needed:
        raise EOFError


def _compressed(plane: Plane, stream: Stream, frame_bytes: int) -> bytes:
    """A frame; refused if its own size is not its header's, or if it grows as no scan."""
    begin = stream.tell()
    if plane.header.pixels_bytes != UNDEFINED_BYTES:
        raise EOFError
    frame = get_frame(stream, plane.frame, number_of_frames=frames(plane.header))
    stream.seek(begin)
    check_inflation(frame_bytes, len(frame))
    if not is_whole(frame, plane.header.syntax):
        raise EOFError
    if plane.header.syntax in _JPEG_2000:
        _check_stream_sign(frame, plane.header)
    size = stated_size(frame, plane.header.syntax)
    if size is not None and size != (plane.rows, plane.columns):
        raise VoxelError(
            f"holds a compressed frame of {size[0]} × {size[1]} pixels, its header announces "
            f"{plane.rows} × {plane.columns}: fetch it again from its source"
        )
    return frame


def _check_stream_sign(frame: bytes, header: Header) -> None:
    """Refuse a JPEG 2000 stream whose own sign is another than its header's."""
    begin = frame.find(_J2K_START)
    if begin < 0 or len(frame) < begin + 43:
        raise EOFError
    if frame[begin + 42] >> 7 and whole(header, "PixelRepresentation") == 0:
        raise VoxelError(
            f"holds a JPEG 2000 stream with a sign, its header says PixelRepresentation 0: "
            f"correct the header, or {AGAIN}"
        )


def _check_unsigned_stream(
    stored: Shaped[np.ndarray, "row column"], frame: bytes, plane: Plane
) -> None:
    """Refuse values that the header's sign makes others, and that are plausible without it."""
    begin = frame.find(_J2K_START)
    bits = whole(plane.header, "BitsStored") or 16
    if frame[begin + 42] >> 7 or not whole(plane.header, "PixelRepresentation"):
        return
    negative = stored[stored < 0]
    unsigned_hu = (negative.astype(np.int64) + (1 << bits)) * plane.slope + plane.intercept
    likely = int((unsigned_hu < _HIGHEST_HU).sum() + (stored >= 1 << (bits - 1)).sum())
    if likely > max(_FEW_VOXELS * stored.size, 1):
        raise VoxelError(
            f"holds a JPEG 2000 stream without a sign, its header says PixelRepresentation 1, "
            f"and {likely} of {stored.size} values are plausible without one: correct the "
            f"header, or {AGAIN}"
        )
