"""Digest: a hash of a file's or folder's content, computed once for as long as it stands."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from hirescam.atomic import atomic_write


def known_digest(path: Path, folder: Path) -> str:
    """The digest of `path`; noted in `folder` under its name, size and time of change."""
    stand = [
        (part.as_posix(), (stat := part.stat()).st_size, stat.st_mtime_ns)
        for part in _parts(path.absolute())
    ]
    note = folder / f"{hashlib.sha256(repr(stand).encode()).hexdigest()}.txt"
    if note.exists():
        return note.read_text()
    found = digest(path)
    with atomic_write(note) as file:
        file.write(found.encode())
    return found


def digest(path: Path) -> str:
    """SHA-256 of a file, or of the files of a folder in the order of their names."""
    whole = hashlib.sha256()
    for part in _parts(path):
        with part.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()


def _parts(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    yield from (part for part in sorted(path.rglob("*")) if part.is_file())
