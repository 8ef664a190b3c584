"""Label images: codes on a grid, read from NIfTI and DICOM SEG, written as NIfTI."""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from io import IOBase
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

import nibabel as nib
import numpy as np
from jaxtyping import Float64, Integer, Shaped

from hirescam.atomic import atomic_write
from hirescam.ct.validation import as_read_error, check_three_axes
from hirescam.errors import MissingPackageError, ReadError, VoxelError
from hirescam.parsing import parse_json

# --- whole numbers on a grid, each of which stands for one structure ---


@dataclass(frozen=True, eq=False)
class LabelImage:
    """Codes on a grid of their own; `names` are those of the codes that the file itself names.

    `affine` places them as `Volume.affine` does. `whole` is False where a file may leave out
    what holds no structure. `notes` are texts that came with the image.
    """

    codes: Integer[np.ndarray, "slice row column"]
    affine: Float64[np.ndarray, "4 4"]
    names: Mapping[int, str] = field(default_factory=dict)
    whole: bool = True
    notes: tuple[str, ...] = ()


def whole_numbers(
    stored: Shaped[np.ndarray, "slice row column"],
) -> Integer[np.ndarray, "slice row column"]:
    """The same codes as the smallest unsigned integers; `VoxelError` if they are no codes."""
    if stored.dtype.kind not in "biuf":
        raise VoxelError(f"values are {stored.dtype}, expected whole numbers: give a mask")
    lowest, highest = stored.min(initial=0), stored.max(initial=0)
    if not 0 <= lowest <= highest < 1 << 16:  # not so either if any is NaN
        raise VoxelError(
            f"values reach from {lowest:g} to {highest:g}, expected codes from 0 to 65535: "
            f"give a mask, not a scan"
        )
    codes = stored.astype(np.min_scalar_type(int(highest)))
    if stored.dtype.kind == "f" and not np.array_equal(codes, stored):
        raise VoxelError("values are fractions, expected whole numbers: give a mask, not a map")
    return codes


# --- Label images in NIfTI, with the names of their codes where the header holds them ---

_KINDS = (nib.Nifti1Image, nib.Nifti2Image)
_SCANNER = 1  # NIfTI code: coordinates of the scanner, as the scan's own
_COMMENT = 6  # NIfTI extension code: text


def read_label_nifti(path: Path) -> LabelImage:
    """The codes in a .nii or .nii.gz file, and what its header says of them.

    Raises `ReadError` if they are damaged, no whole numbers, or more than one image.
    """
    with as_read_error(path):
        opened = gzip.open if path.suffix.lower() == ".gz" else open
        with opened(path, "rb") as file:
            stream = cast(IOBase, file)
            image = _image(stream)
            check_three_axes(image.shape)
            codes = whole_numbers(np.asanyarray(image.dataobj).T)
            while stream.read(1 << 20):  # to the end, where gzip keeps its checksum
                pass
    notes = tuple(_text(extension) for extension in image.header.extensions)
    return LabelImage(codes, image.affine[:, [2, 1, 0, 3]], names=_names(notes), notes=notes)


def write_label_nifti(
    path: Path,
    codes: Integer[np.ndarray, "slice row column"],
    affine: Float64[np.ndarray, "4 4"],
    note: str,
) -> None:
    """Write codes as they are; the file's axes are column, row, slice; `note` in its header."""
    turned = affine[:, [2, 1, 0, 3]]
    image = nib.Nifti1Image(codes.T, turned)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = b"hirescam organs"
    image.set_sform(turned, _SCANNER)
    image.set_qform(turned, _SCANNER)
    image.header.extensions.append(nib.nifti1.Nifti1Extension(_COMMENT, note.encode()))
    with atomic_write(path) as file:
        image.to_stream(cast(IOBase, file))


def _image(stream: IOBase) -> nib.Nifti1Image:
    start = stream.read(540)  # as long as the longer of both headers
    stream.seek(0)
    for kind in _KINDS:
        if kind.header_class.may_contain_header(start):
            return kind.from_stream(stream)
    raise ReadError("does not begin as NIfTI does: give masks as .nii or .nii.gz")


def _text(extension: nib.nifti1.Nifti1Extension) -> str:
    content = extension.get_content()
    text = content.decode("utf-8", "replace") if isinstance(content, bytes) else str(content)
    return text.rstrip("\0 \n")


def _names(notes: tuple[str, ...]) -> dict[int, str]:
    """Names of codes: as we write them, or in the XML of Caret, as TotalSegmentator does."""
    named: dict[int, str] = {}
    for note in notes:
        try:
            if note.startswith("{"):
                organs = parse_json(note)["organs"]
                named |= {int(facts["code"]): organ for organ, facts in organs.items()}
            elif note.startswith("<?xml"):
                labels = ElementTree.fromstring(note).iter("Label")
                named |= {int(label.attrib["Key"]): str(label.text) for label in labels}
        except (ValueError, LookupError, TypeError, AttributeError, ElementTree.ParseError):
            continue  # some other program's note
    return named


# --- Label images in DICOM Segmentation objects ---

_FROM_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def read_label_seg(path: Path) -> LabelImage:
    """The segments of a DICOM SEG file by their labels, in lower case with `_` for spaces.

    Where segments overlap, the later one counts. Frames without any segment may be absent from
    the file, so that the image can be smaller than the scan. Needs highdicom.
    """
    with as_read_error(path):
        segmentation: Any = _highdicom_seg().segread(path)
        numbers = list(segmentation.segment_numbers)
        grid = segmentation.get_volume(segment_numbers=numbers[:1])
        codes = np.zeros(grid.spatial_shape, np.uint16)
        for number in numbers:
            segment = segmentation.get_volume(segment_numbers=[number])
            codes[segment.array[..., 0] > 0] = number
    names = {
        number: _name(segmentation.get_segment_description(number).segment_label)
        for number in numbers
    }
    return LabelImage(codes, _FROM_LPS @ grid.affine, names=names, whole=False)


def _highdicom_seg() -> Any:
    try:
        return import_module("highdicom.seg")
    except ImportError as error:
        raise MissingPackageError(
            "reading DICOM segmentations needs highdicom: pip install 'hirescam[dicom]'"
        ) from error


def _name(label: str) -> str:
    return "_".join(str(label).lower().split())
