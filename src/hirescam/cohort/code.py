"""Code: which code is at work, told by its files, for a version says little in a checkout."""

import hashlib
from functools import cache
from importlib.resources import as_file, files

import hirescam
from hirescam.training.prepared import digest

_DIGITS = 12


@cache
def code_version() -> str:
    """The version of hirescam and a digest of its files; other code may give other results."""
    with as_file(files("hirescam")) as folder:
        parts = sorted(path for path in folder.rglob("*") if path.suffix != ".pyc")
        every = "".join(digest(path) for path in parts if path.is_file())
    return f"{hirescam.__version__}+{hashlib.sha256(every.encode()).hexdigest()[:_DIGITS]}"
