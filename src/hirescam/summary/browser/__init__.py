"""What runs in a browser: a shell of markup, a sheet of style and, once built, one script.

The script is made from `web/` by npm when the package is built; it is no part of the sources.
"""

from functools import cache
from importlib.resources import files

_HERE = files(__package__)
_SCRIPT = _HERE / "viewer.js"


def is_built() -> bool:
    """Whether npm was there when this package was built."""
    return _SCRIPT.is_file()


@cache
def script() -> str:
    """The page's program with NiiVue in it."""
    return _SCRIPT.read_text(encoding="utf-8")


@cache
def search() -> str:
    """A few lines for the static report, which works without."""
    return (_HERE / "search.js").read_text(encoding="utf-8")


@cache
def style() -> str:
    """How the page looks."""
    return (_HERE / "viewer.css").read_text(encoding="utf-8")


@cache
def shell() -> str:
    """The viewer's markup, hidden until the script fills it."""
    return (_HERE / "shell.html").read_text(encoding="utf-8")


@cache
def whole_page() -> str:
    """The shell as a page of its own, beside its script and its style."""
    return (_HERE / "page.html").read_text(encoding="utf-8").replace("{shell}", shell())
