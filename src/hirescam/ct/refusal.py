"""Refusal: what a library raises over a bad file becomes one sentence that names the file."""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath

from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from pydicom.errors import BytesLengthException

from hirescam.errors import ReadError

OR_REPAIR = "or read it repaired (on_bad_geometry='repair', --on-bad-geometry repair)"

# First match wins. Libraries' own words are not repeated: they may quote what a file says of
# its patient.
_REASONS: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((PermissionError,), "may not be read by this user: ask for permission to read it"),
    ((RecursionError,), "is nested deeper than any scan: fetch it again from its source"),
    ((MemoryError,), "asks for more memory than there is: check the size that it states"),
    (
        (
            ArithmeticError,
            AttributeError,  # pydicom, over a missing element
            BytesLengthException,
            EOFError,
            HeaderDataError,
            ImageFileError,
            LookupError,
            OSError,
            RuntimeError,  # SimpleITK, over everything
            ValueError,
            struct.error,
            zipfile.BadZipFile,
            zlib.error,
        ),
        "is damaged, cut short, or not what its name says: fetch it again from its source",
    ),
)
_UNREADABLE = tuple(kind for kinds, _ in _REASONS for kind in kinds)


@contextmanager
def refusing(path: PurePath) -> Iterator[None]:
    """Within, whatever is wrong with a file is a `ReadError` that begins with its name.

    Nested, the names read from folder to file.
    """
    try:
        yield
    except ReadError as error:
        raise type(error)(f"{path.name}: {error}") from error
    except _UNREADABLE as error:
        reason = next(reason for kinds, reason in _REASONS if isinstance(error, kinds))
        raise ReadError(f"{path.name}: {reason}") from None  # its words may name the patient
