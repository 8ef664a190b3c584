"""Figures for print: one style, and each figure as a vector PDF and as a PNG."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from string import ascii_lowercase

from matplotlib import rc_context
from matplotlib.figure import Figure

from hirescam.atomic import atomic_write

ONE_COLUMN_MM, TWO_COLUMNS_MM = 89.0, 183.0
RULE = "#777777"
_MM_PER_INCH = 25.4
_WITHOUT_DATE: dict[str, dict[str, str | None]] = {
    "pdf": {"CreationDate": None, "Creator": "hirescam", "Producer": None},
    "png": {"Software": None},
}


@contextmanager
def printed(path: Path, *, width_mm: float | int, height_mm: float | int) -> Iterator[Figure]:
    """A figure to draw on; PATH.pdf and PATH.png are written when the block ends well.

    The same drawing gives the same bytes. `WriteError` if the disk refuses.
    """
    style = files(__package__).joinpath("figures.mplstyle")
    with as_file(style) as file, rc_context(fname=file):
        figure = Figure(figsize=(width_mm / _MM_PER_INCH, height_mm / _MM_PER_INCH))
        yield figure
        for kind, metadata in _WITHOUT_DATE.items():
            with atomic_write(path.with_name(f"{path.name}.{kind}")) as out:
                figure.savefig(out, format=kind, metadata=metadata)


def headed(number: int, text: str) -> str:
    """A panel's title after the bold letter by which a caption speaks of the panel."""
    return rf"$\bf{{{ascii_lowercase[number]}}}$  {text}"


def readable(label: str) -> str:
    """A label's name as people write it."""
    return label.replace("_", " ").replace("nodulegr1cm", "nodule > 1 cm")


def where_drawn(name: str, *more: str) -> str:
    """A table's note that tells where its picture is."""
    return " ".join((f"Drawn in {name}.pdf and {name}.png.", *more))
