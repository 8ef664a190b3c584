"""A file that appears whole or not at all."""

import gzip
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, cast

from hirescam.errors import WriteError

try:
    from fcntl import LOCK_EX, LOCK_NB, flock
except ImportError:  # Windows
    flock = None  # type: ignore[assignment]


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A hidden file beside `path` to write into; it becomes `path` when the block ends well.

    A name that ends in .gz is compressed, without a date, so that the same content gives the
    same bytes. Missing folders are made. If anything fails, an older file at `path` is still
    whole and nothing else is left; a refusal of the disk is a `WriteError`. What a killed
    process left is written over by the next that writes the same file.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _hidden(path) as part:
            with part.open("wb") as raw:
                if path.suffix == ".gz":
                    packed = gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw, mtime=0)
                    with packed:
                        yield cast(IO[bytes], packed)
                else:
                    yield raw
            part.replace(path)
    except OSError as error:
        raise WriteError(
            f"cannot write {path}: {error.strerror}; free some space or choose another folder"
        ) from error


@contextmanager
def _hidden(path: Path) -> Iterator[Path]:
    """A name beside `path` under which no one else writes; what is there at last is removed.

    It is the usual one unless another process is at it. Another name is drawn by chance.
    """
    usual = path.with_name(f".{path.name}.part")
    with _locked(usual) as alone:
        part = usual if alone else path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        try:
            yield part
        finally:
            with suppress(OSError):
                part.unlink()


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Whether the file at `path`, made if missing, is ours; a lock ends with its process."""
    if flock is None:
        yield False
        return
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            flock(handle, LOCK_EX | LOCK_NB)
            alone = os.path.samestat(os.fstat(handle), path.stat())  # or was renamed meanwhile
        except (BlockingIOError, FileNotFoundError):
            alone = False
        except OSError:  # a file system without locks
            alone = False
            path.unlink(missing_ok=True)
        yield alone
    finally:
        os.close(handle)
