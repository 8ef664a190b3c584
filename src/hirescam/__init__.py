"""Explainable multi-label classification of CT volumes.

The public names are listed once, in `__init__.pyi`; each is loaded on first use.
"""

from importlib import import_module
from typing import Any

import lazy_loader

__version__ = "0.2.0"

_lookup, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    """A public name, loaded on first use; or one of 0.1 under its former name."""
    if name in ("HiddenOrgan", "hide_organ"):
        return import_module("hirescam.explanation").former(name)
    return _lookup(name)
