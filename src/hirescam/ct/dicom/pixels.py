"""Pixels: each slice decoded and rescaled by its own header, several at a time."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from io import SEEK_END
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Shaped
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import Decoder, get_decoder
from pydicom.uid import (
    JPEG2000,
    JPEG2000Lossless,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
)

from hirescam.ct.dicom.codestream import is_whole, stated_size
from hirescam.ct.dicom.headers import UNDEFINED_BYTES, Header, pixel_stream
from hirescam.ct.dicom.padding import is_padding
from hirescam.ct.dicom.planes import Plane
from hirescam.ct.dicom.sources import Stream
from hirescam.ct.dicom.values import frames, whole
from hirescam.ct.hounsfield import hounsfield
from hirescam.ct.limits import check_inflation
from hirescam.ct.muted import muted
from hirescam.ct.refusal import refusing
from hirescam.ct.volume import AIR_HU
from hirescam.errors import MissingPackageError, ReadError, VoxelError

Item = TypeVar("Item")

_JPEG_2000 = (JPEG2000Lossless, JPEG2000)
_BY_EXTRA = (*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes, *_JPEG_2000)
_PREFERRED = {  # to GDCM, which pydicom takes first and which prints on the terminal
    **dict.fromkeys(_JPEG_2000, "pillow"),
    **dict.fromkeys(JPEGLSTransferSyntaxes, "pyjpegls"),
}
_THREADS = min(4, os.cpu_count() or 1)
_BITS = ("BitsAllocated", "BitsStored", "PixelRepresentation")


def decoded(planes: Sequence[Plane]) -> Shaped[np.ndarray, "slice row column"]:
    """HU of the slices, in order; int16 where that is exact, else float32."""
    files: dict[Header, list[int]] = {}
    for index, plane in enumerate(planes):
        files.setdefault(plane.header, []).append(index)
    first = planes[0]
    voxels = np.empty((len(planes), first.rows, first.columns), np.int16)
    fractions: dict[int, Shaped[np.ndarray, "row column"]] = {}

    def fill(file: tuple[Header, list[int]]) -> None:
        header, indices = file
        with refusing(header.source.path), pixel_stream(header) as stream:
            for index in indices:
                values = _rescaled(planes[index], stream)
                if values.dtype == np.int16:
                    voxels[index] = values
                else:
                    fractions[index] = values

    by_gdcm = any(header.syntax in JPEGTransferSyntaxes for header in files)
    with muted() if by_gdcm else nullcontext():
        if any(header.syntax.is_encapsulated for header in files):
            _in_threads(fill, files.items())
        else:  # nothing to decode: threads would only wait for each other
            for file in files.items():
                fill(file)
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
        with refusing(header.source.path):
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


def _rescaled(plane: Plane, stream: Stream) -> Shaped[np.ndarray, "row column"]:
    stored = _stored(plane, stream)
    padding = is_padding(stored, plane.header)
    if padding is None or not padding.any():
        return hounsfield(stored, plane.slope, plane.intercept)
    lowest = stored[~padding].min(
        initial=stored.max()
    )  # of no matter, and fits if the rest does
    values = hounsfield(np.where(padding, lowest, stored), plane.slope, plane.intercept)
    return np.where(padding, values.dtype.type(AIR_HU), values)


def _stored(plane: Plane, stream: Stream) -> Shaped[np.ndarray, "row column"]:
    header, decoder = plane.header, _decoder(plane.header)
    bits_allocated, bits_stored, signed = (whole(header, name) for name in _BITS)
    if (
        not bits_allocated
        or not bits_stored
        or signed not in (0, 1)
        or header.pixels_at is None
    ):
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
    check = _check_compressed if header.syntax.is_encapsulated else _check_native
    check(plane, stream, frame_bytes)
    plugin = _PREFERRED.get(header.syntax, "")
    options["decoding_plugin"] = plugin if plugin in decoder.available_plugins else ""
    return decoder.as_array(stream, index=plane.frame, raw=True, **options)[0]


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


def _check_compressed(plane: Plane, stream: Stream, frame_bytes: int) -> None:
    """Refuse a frame whose own size is another than its header's, or that grows as no scan."""
    begin = stream.tell()
    if plane.header.pixels_bytes != UNDEFINED_BYTES:
        raise EOFError
    frame = get_frame(stream, plane.frame, number_of_frames=frames(plane.header))
    stream.seek(begin)
    check_inflation(frame_bytes, len(frame))
    if not is_whole(frame, plane.header.syntax):
        raise EOFError
    size = stated_size(frame, plane.header.syntax)
    if size is not None and size != (plane.rows, plane.columns):
        raise VoxelError(
            f"holds a compressed frame of {size[0]} × {size[1]} pixels, its header announces "
            f"{plane.rows} × {plane.columns}: fetch it again from its source"
        )
