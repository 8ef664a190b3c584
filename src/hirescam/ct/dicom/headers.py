"""Values: what is said of one slice, wherever its file keeps it.

A file of one slice says everything at its top. A file of many (enhanced CT) keeps what differs
in a group of each frame, what they share in one group, and the rest at its top.
"""

import logging
import re
import struct
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from jaxtyping import Float64
from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32

from hirescam.ct.dicom.sources import Source, Stream
from hirescam.ct.validation import MOST_INFLATION, as_read_error
from hirescam.errors import ReadError

# --- Quiet: what pydicom says of a file may quote its header, and so its patient


@contextmanager
def silence_pydicom() -> Iterator[None]:
    """Within, pydicom neither warns nor logs: what we need of a header is checked here."""
    logger = logging.getLogger("pydicom")
    before, logger.disabled = logger.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = before


# --- Headers: what each file says of itself, read once, up to where its pixels begin
# Only the elements named here are kept, so that nothing else can leak or fail.

_KEPT = """
    SOPClassUID Modality ImageType StudyInstanceUID SeriesInstanceUID
    AcquisitionNumber InstanceNumber ContentTime KVP ConvolutionKernel ContrastBolusAgent
    ImagePositionPatient ImageOrientationPatient PixelSpacing SliceThickness
    RescaleSlope RescaleIntercept RescaleType
    Rows Columns NumberOfFrames SamplesPerPixel PhotometricInterpretation
    BitsAllocated BitsStored HighBit PixelRepresentation
    PixelPaddingValue PixelPaddingRangeLimit
    SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence
"""
_KEPT_TAGS: list[BaseTag | int] = [
    tag for keyword in _KEPT.split() if (tag := tag_for_keyword(keyword)) is not None
]
CT_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.2",  # CT
    "1.2.840.10008.5.1.4.1.1.2.1",  # enhanced CT
    "1.2.840.10008.5.1.4.1.1.2.2",  # legacy converted enhanced CT
)
_SYNTAX_TAG = 0x00020010
_PIXEL_TAGS = (0x7FE00008, 0x7FE00009, 0x7FE00010)  # float, double, and what a CT has
UNDEFINED_BYTES = 0xFFFFFFFF  # the length of pixels that are compressed

_PREAMBLE_BYTES = 128
_PREFIX = b"DICM"
_GZIP = b"\x1f\x8b"
_SUFFIX = re.compile(r"\.[A-Za-z]{1,8}")  # others may hold anything, such as a name
_TYPES = (b"UI", b"UL", b"CS", b"DA", b"TM", b"LO", b"SH", b"OB", b"PN", b"DT", b"ST")
_MOST_INFLATED_BYTES = 1 << 28  # a slice is 1/500 of it; several are inflated at a time


@dataclass(frozen=True, eq=False)
class Header:
    """What one DICOM file says of itself, and where in it the pixels begin, if it has any."""

    source: Source
    syntax: UID
    elements: Dataset
    pixels_at: int | None
    pixels_bytes: int


@dataclass(frozen=True, eq=False)
class Scan:
    """All headers that were found, and what became of all other files."""

    headers: list[Header]
    strangers: tuple[Source, ...] = ()  # files of another kind
    blank: tuple[Source, ...] = ()  # without a byte other than zero where DICOM begins
    broken: tuple[tuple[Source, ReadError], ...] = ()  # begin as DICOM and cannot be read

    @property
    def kinds(self) -> str:
        """How many strangers have which suffix."""
        counts = Counter(
            source.path.suffix.lower() if _SUFFIX.fullmatch(source.path.suffix) else "other"
            for source in self.strangers
        )
        return ", ".join(f"{count} {suffix}" for suffix, count in sorted(counts.items()))


def scan_headers(sources: Iterable[Source]) -> Scan:
    """Read every header, one after the other: threads that parse only wait for each other.

    A file that begins as DICOM does and cannot be read may be a slice: it is listed as broken.
    """
    headers: list[Header] = []
    others: dict[str, list[Source]] = {"stranger": [], "blank": []}
    broken: list[tuple[Source, ReadError]] = []
    for source in sources:
        try:
            found = _header(source)
        except ReadError as error:
            broken.append((source, error))
            continue
        if isinstance(found, Header):
            headers.append(found)
        else:
            others[found].append(source)
    return Scan(headers, tuple(others["stranger"]), tuple(others["blank"]), tuple(broken))


def pixel_stream(header: Header) -> Stream:
    """The file again, to go to and fro in, as its header was read: inflated if need be."""
    if header.syntax != DeflatedExplicitVRLittleEndian:
        return header.source.load()
    with header.source.open() as stream:
        _syntax(stream)
        return _inflated(stream, header.source.size_bytes)


def _header(source: Source) -> Header | str:
    with as_read_error(source.path), source.open() as stream:
        start = stream.read(_PREAMBLE_BYTES + len(_PREFIX))
        if start.startswith(_GZIP):
            return _zipped(source)
        if not start.endswith(_PREFIX) or len(start) != _PREAMBLE_BYTES + len(_PREFIX):
            if not start.strip(b"\0"):
                return "blank"
            begin = len(_PREFIX) if start.startswith(_PREFIX) else 0
            return _without_meta(source, stream, begin) or "stranger"
        if stream.read(2) == b"\x08\0":
            return _without_meta(source, stream, len(start)) or "stranger"
        syntax = _syntax(stream)
        if syntax != DeflatedExplicitVRLittleEndian:
            return _parsed(source, syntax, stream)
        return _parsed(source, syntax, _inflated(stream, source.size_bytes))


def _zipped(source: Source) -> Header | str:
    """What a file like slice.dcm.gz holds, if that is DICOM."""
    with source.open() as stream:
        inflater = zlib.decompressobj(wbits=31)
        start = inflater.decompress(stream.read(1 << 16), _PREAMBLE_BYTES + len(_PREFIX))
        if not (start.endswith(_PREFIX) or _group(start)):
            return "stranger"
        stream.seek(0)
        most = min(_MOST_INFLATED_BYTES, max(1 << 26, MOST_INFLATION * source.size_bytes))
        inflater = zlib.decompressobj(wbits=31)
        content = inflater.decompress(stream.read(), most)
    if not inflater.eof:
        raise EOFError
    inside = Source(
        source.path, len(content), lambda: BytesIO(content), lambda: BytesIO(content)
    )
    return _header(inside)


def _of(content: bytes) -> Callable[[], Stream]:
    return lambda: BytesIO(content)


def _group(start: bytes) -> bool:
    """Whether bytes begin as the elements of DICOM do: group 2 or 8, a plausible length."""
    for order in ("<", ">"):
        group, element, length = struct.unpack(f"{order}HHI", start[:8].ljust(8, b"\xff"))
        if group in (2, 8) and element <= 0x0110:
            return start[4:6] in _TYPES or length <= 0x400
    return False


def _without_meta(source: Source, stream: Stream, begin: int) -> Header | None:
    """The header of a file whose elements begin at byte `begin`; None if it is no DICOM."""
    stream.seek(begin)
    start = stream.read(8)
    if not _group(start):
        return None
    stream.seek(begin)
    if start[:2] == b"\x02\0":
        meta = read_dataset(
            stream, False, True, stop_when=_after_meta, specific_tags=[_SYNTAX_TAG]
        )
        syntax = UID(str(meta.get("TransferSyntaxUID") or ExplicitVRLittleEndian))
        return _parsed(source, syntax, stream)
    explicit = start[4:6] in _TYPES
    syntax = ExplicitVRLittleEndian if explicit else ImplicitVRLittleEndian
    if start[:2] == b"\0\x08":
        syntax = ExplicitVRBigEndian
    found = _parsed(source, syntax, stream)
    if not any(name in found.elements for name in ("SOPClassUID", "Modality", "Rows")):
        return None
    if found.pixels_bytes == UNDEFINED_BYTES:
        raise ReadError(
            "has compressed pixels and no TransferSyntaxUID that says how: export it again"
        )
    return found


def _syntax(stream: Stream) -> UID:
    """How the file is encoded; leaves `stream` where its elements begin."""
    stream.seek(_PREAMBLE_BYTES + len(_PREFIX))
    meta = read_dataset(stream, False, True, stop_when=_after_meta, specific_tags=[_SYNTAX_TAG])
    syntax = meta.get("TransferSyntaxUID")
    if not syntax:
        raise ReadError(
            "has no TransferSyntaxUID that says how it is encoded: export it again as DICOM"
        )
    return UID(str(syntax))


def _after_meta(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag >> 16 != 2


def _inflated(stream: Stream, held_bytes: int) -> Stream:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    most = min(_MOST_INFLATED_BYTES, max(1 << 26, MOST_INFLATION * held_bytes))
    data = inflater.decompress(stream.read(), most)
    if inflater.unconsumed_tail:
        raise ReadError(
            f"inflates from {held_bytes} to over {most} bytes: it is no scan; "
            f"if it is, export it uncompressed"
        )
    return BytesIO(data)


def _parsed(source: Source, syntax: UID, stream: Stream) -> Header:
    implicit = syntax == ImplicitVRLittleEndian
    pixels = _Pixels()
    elements = read_dataset(
        stream,
        implicit,
        syntax != ExplicitVRBigEndian,
        stop_when=pixels,
        specific_tags=_KEPT_TAGS,
    )
    begin = stream.tell() + pixels.own_bytes if pixels.own_bytes else None
    if begin is None and _is_cut(elements):
        raise EOFError
    return Header(source, syntax, elements, begin, pixels.length)


def _is_cut(elements: Dataset) -> bool:
    """Whether a file without pixels breaks off, perhaps before it says what it is."""
    kind = str(elements.get("SOPClassUID") or "")
    modality = str(elements.get("Modality") or "CT").strip().upper()
    return (
        kind in CT_CLASSES
        or (not kind and modality == "CT")
        or "SeriesInstanceUID" not in elements
    )


class _Pixels:
    """Ends the reading where pixels begin, and remembers how long they are said to be."""

    own_bytes = 0  # of the element's tag, type and length
    length = 0

    def __call__(self, tag: BaseTag, vr: str | None, length: int) -> bool:
        if tag not in _PIXEL_TAGS:
            return False
        self.own_bytes = 12 if vr in EXPLICIT_VR_LENGTH_32 else 8
        self.length = length
        return True


# --- Values: what is said of one slice, wherever its file keeps it
# A file of one slice says everything at its top. A file of many (enhanced CT) keeps what
# differs in a group of each frame, what they share in one group, and the rest at its top.

_GROUPS = {
    "FrameAcquisitionNumber": "FrameContentSequence",
    "ImageOrientationPatient": "PlaneOrientationSequence",
    "ImagePositionPatient": "PlanePositionSequence",
    "PixelSpacing": "PixelMeasuresSequence",
    "SliceThickness": "PixelMeasuresSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
    "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleType": "PixelValueTransformationSequence",
}


def frames(header: Header) -> int:
    """How many slices a file holds."""
    return len(header.elements.get("PerFrameFunctionalGroupsSequence") or [None])


def value(header: Header, frame: int, keyword: str) -> object:
    """What the frame says, else what all frames share, else what the file says; else None."""
    elements = header.elements
    own = elements.get("PerFrameFunctionalGroupsSequence") or []
    shared = elements.get("SharedFunctionalGroupsSequence") or []
    group = _GROUPS.get(keyword)
    for place in (*own[frame : frame + 1], *shared[:1]):
        for item in (place.get(group) or [])[:1] if group else []:
            if keyword in item:
                return item.get(keyword)
    return elements.get(keyword)


def numbers(
    header: Header, frame: int, keyword: str, count: int
) -> Float64[np.ndarray, "value"] | None:
    """`count` finite numbers, or None where they are absent or anything else."""
    found = value(header, frame, keyword)
    try:
        values = np.atleast_1d(np.array([] if found is None else found, dtype=float))
    except (TypeError, ValueError):
        return None
    return values if values.shape == (count,) and np.isfinite(values).all() else None


def whole(header: Header, keyword: str) -> int | None:
    """One whole number that holds for the file, or None."""
    values = numbers(header, 0, keyword, 1)
    return None if values is None else int(values[0])
