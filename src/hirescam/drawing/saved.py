"""Saved: a matplotlib figure as a file, or as markup for a page."""

import io
from pathlib import Path

from matplotlib.figure import Figure

from hirescam.atomic import atomic_write


def write_png(figure: Figure, path: Path) -> None:
    """Write a figure as PNG; `WriteError` if the disk refuses."""
    with atomic_write(path) as file:
        figure.savefig(file, format="png", metadata={"Software": None})


def svg(figure: Figure) -> str:
    """A figure as markup for a page."""
    packed = io.StringIO()
    figure.savefig(packed, format="svg", bbox_inches="tight", metadata={"Date": None})
    return packed.getvalue()[packed.getvalue().index("<svg") :]
