"""Output: figures as PDF, PNG and SVG in one style, and tables as CSV and JSON."""

import csv
import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from string import ascii_lowercase

from matplotlib import rc_context
from matplotlib.figure import Figure

from hirescam.atomic import atomic_write
from hirescam.evaluation.tables import Row, columns
from hirescam.printable import table_cell

ONE_COLUMN_MM, TWO_COLUMNS_MM = 89.0, 183.0
RULE = "#777777"
_MM_PER_INCH = 25.4
_SOFTWARE = "hirescam"
_WITHOUT_DATE: dict[str, dict[str, str | None]] = {
    "pdf": {"CreationDate": None, "Creator": "hirescam", "Producer": None},
    "png": {"Software": None},
}


@contextmanager
def printed(path: Path, *, width_mm: float | int, height_mm: float | int) -> Iterator[Figure]:
    """A figure to draw on; PATH.pdf and PATH.png are written when the block ends well.

    The same figure gives the same bytes. `WriteError` if the disk refuses.
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


def write_png(figure: Figure, path: Path) -> None:
    """Write a figure as PNG; `WriteError` if the disk refuses."""
    with atomic_write(path) as file:
        figure.savefig(file, format="png", metadata={"Software": _SOFTWARE})


def is_our_png(path: Path) -> bool:
    """Whether `write_png` wrote a picture."""
    with path.open("rb") as file:
        return _SOFTWARE.encode() in file.read(1000)


def svg(figure: Figure) -> str:
    """A figure as markup for a page."""
    packed = io.StringIO()
    figure.savefig(packed, format="svg", bbox_inches="tight", metadata={"Date": None})
    return packed.getvalue()[packed.getvalue().index("<svg") :]


def write_csv(rows: Sequence[Row], path: Path) -> None:
    """A table as CSV; what is undefined is left empty."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns(rows))
        writer.writeheader()
        writer.writerows({name: _blank(value) for name, value in row.items()} for row in rows)


def without_nan(value: object) -> object:
    """What JSON can hold: null where a number is undefined."""
    if isinstance(value, dict):
        return {name: without_nan(each) for name, each in value.items()}
    if isinstance(value, list):
        return [without_nan(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _blank(value: object) -> object:
    return "" if isinstance(value, float) and math.isnan(value) else table_cell(value)
