"""A file that appears whole or not at all."""

import gzip
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, cast

from hirescam.errors import WriteError


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A hidden file beside `path` to write into; it becomes `path` when the block ends well.

    A name that ends in .gz is compressed, without a date, so that the same content gives the
    same bytes. Missing folders are made. If anything fails, an older file at `path` is still
    whole and nothing else is left; a refusal of the disk is a `WriteError`.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as raw:
            if path.suffix == ".gz":
                with gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw, mtime=0) as packed:
                    yield cast(IO[bytes], packed)
            else:
                yield raw
        part.replace(path)
    except OSError as error:
        raise WriteError(
            f"cannot write {path}: {error.strerror}; free some space or choose another folder"
        ) from error
    finally:
        with suppress(OSError):
            part.unlink()
