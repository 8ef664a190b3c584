"""Place bar: in which places of the body evidence lies, as one stacked bar."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.patches import Patch

# Sides share a hue; grey is no place for a finding. Light and dark alternate without colour.
COLOURS = {
    "right_lung": "#0072B2",
    "left_lung": "#56B4E9",
    "mediastinum": "#CC79A7",
    "rest_of_body": "#B8B8B8",
    "outside_body": "#5A5A5A",
    "outside_field": "#111111",
}
_LEAST_TOLD = 0.12  # of the bar: no number fits into less


def place_bar(axes: Axes, shares: Mapping[str, float]) -> None:
    """Shares that add up to one, from left to right, in percent where there is room."""
    left = 0.0
    for place, share in shares.items():
        axes.barh(0, share, left=left, height=1, color=COLOURS[place], linewidth=0)
        if share >= _LEAST_TOLD:
            dark = place in ("right_lung", "outside_body", "outside_field")
            axes.text(
                left + share / 2,
                0,
                f"{100 * share:.0f} %",
                color="white" if dark else "black",
                fontsize=5.5,
                ha="center",
                va="center_baseline",
            )
        left += share
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.5, 0.5)
    axes.set_axis_off()


def place_legend(figure: FigureBase, places: tuple[str, ...], **options: Any) -> None:
    """What the colours of place bars mean, below the figure."""
    figure.legend(
        handles=[
            Patch(color=COLOURS[place], label=place.replace("_", " ")) for place in places
        ],
        loc="outside lower center",
        ncols=len(places),
        handlelength=0.9,
        columnspacing=1.2,
        **options,
    )
