"""Label images in NIfTI, with the names of their codes where the header holds them."""

import gzip
from io import IOBase
from pathlib import Path
from typing import cast
from xml.etree import ElementTree

import nibabel as nib
import numpy as np
from jaxtyping import Float64, Integer

from hirescam.atomic import atomic_write
from hirescam.ct.validation import as_read_error, check_three_axes
from hirescam.errors import ReadError
from hirescam.organs.labels import LabelImage, whole_numbers
from hirescam.parsing import parse_json

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
