"""Muted: decoders in C and C++ print on the terminal; what matters of it they raise as well."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def muted() -> Iterator[None]:
    """Within, nothing that this process prints as an error reaches the terminal."""
    terminal = os.dup(2)
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
