"""Sources: the files of a folder, of the folders within it, or of a zip, opened one by one."""

import os
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader, BytesIO, RawIOBase
from pathlib import Path, PurePath, PurePosixPath
from typing import cast

from hirescam.ct.validation import check_inflation
from hirescam.errors import ReadError

MOST_FILES = 50_000  # forty scans of 1,200 slices
_NEVER_SLICES = ("DICOMDIR", "__MACOSX")
_SLICE_SUFFIXES = ("", ".dcm", ".ima", ".img")
_NUMBERED = re.compile(r"\.[0-9]+")
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 1  # bit of an entry's flags

Stream = BufferedReader | BytesIO


@dataclass(frozen=True)
class Source:
    """One file, on disk or in a zip.

    `open` is for its beginning; `load` is for going to and fro in it, and from a zip it makes
    sure that every byte is as it was packed.
    """

    path: PurePath
    size_bytes: int
    open: Callable[[], Stream]
    load: Callable[[], Stream]


@contextmanager
def opened(path: Path) -> Iterator[list[Source]]:
    """What lies under `path`, by name; hidden files and DICOMDIR are passed over.

    A zip is read in place: no name in it becomes a path on disk.
    """
    if path.is_dir() or path.suffix.lower() != ".zip":
        yield _on_disk(path)
        return
    with zipfile.ZipFile(path) as archive:
        yield _in_zip(archive, path.stat().st_size)


def _on_disk(path: Path) -> list[Source]:
    if path.is_file():
        return [_file(path)]
    if not path.exists():
        raise ReadError("there is no such file or folder: check the path")
    files: list[Path] = []
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if _may_hold_slices(name))
        inside = (Path(folder, name) for name in sorted(names) if _may_hold_slices(name))
        files += [file for file in inside if _is_slice_file(file)]
        _check_count(len(files))
    if not files:
        raise ReadError("holds no files: give the folder that holds the DICOM series")
    return [_file(file) for file in files]


def _is_slice_file(path: Path) -> bool:
    """Whether it is a file, or a link that leads nowhere and may be a slice to be fetched."""
    return path.is_file() or (
        path.is_symlink()
        and not path.exists()
        and bool(path.suffix.lower() in _SLICE_SUFFIXES or _NUMBERED.fullmatch(path.suffix))
    )


def _file(path: Path) -> Source:
    def reader() -> Stream:
        return path.open("rb")

    def lost() -> Stream:
        raise ReadError(
            "is a link that leads nowhere: fetch what it leads to (git annex get), or remove it"
        )

    if not path.exists():
        return Source(path, 0, lost, lost)
    return Source(path, path.stat().st_size, reader, reader)


def _in_zip(archive: zipfile.ZipFile, archive_bytes: int) -> list[Source]:
    entries = [
        entry
        for entry in archive.infolist()
        if not entry.is_dir()
        and all(map(_may_hold_slices, PurePosixPath(entry.filename).parts))
    ]
    _check_count(len(entries))
    if not entries:
        raise ReadError("holds no files: give the zip of a DICOM series")
    if any(entry.flag_bits & _ENCRYPTED for entry in entries):
        raise ReadError("is encrypted: give the folder that it was made of")
    if any(entry.compress_type not in _METHODS for entry in entries):
        raise ReadError(
            "is packed by another method than deflate: zip the folder again as usual"
        )
    check_inflation(sum(entry.file_size for entry in entries), archive_bytes)
    return [_entry(archive, entry) for entry in sorted(entries, key=lambda each: each.filename)]


def _entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Source:
    return Source(
        PurePosixPath(entry.filename),
        entry.file_size,
        open=lambda: BufferedReader(cast(RawIOBase, archive.open(entry))),
        load=lambda: BytesIO(archive.read(entry)),
    )


def _may_hold_slices(name: str) -> bool:
    return name == ".." or not (name.startswith(".") or name.upper() in _NEVER_SLICES)


def _check_count(files: int) -> None:
    if files > MOST_FILES:
        raise ReadError(
            f"holds over {MOST_FILES} files: give the folder of one study, or of one series"
        )
