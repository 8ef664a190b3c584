"""Charts: estimates with intervals, probabilities against the truth, evidence by place."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.patches import Patch

from hirescam.evaluation.tables import Row
from hirescam.metrics.classification import reliability

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")  # told apart by all eyes (Okabe, Ito)
_ROW_INCHES = 0.19


def dots(
    rows: Sequence[Row],
    name: str,
    value: str,
    title: str,
    *,
    series: str | None = None,
    reference: float | None = None,
) -> Figure:
    """One line per row name, a dot and its interval per series; undefined ones are left out.

    Where nothing is defined, as in a handful of scans, the chart says so.
    """
    defined = [row for row in rows if np.isfinite(_number(row, value))]
    names = list(dict.fromkeys(str(row[name]) or "all" for row in defined))
    kinds = list(dict.fromkeys(str(row[series]) if series else "" for row in defined))
    figure = Figure(figsize=(7, 0.9 + _ROW_INCHES * max(len(names), 3)), layout="constrained")
    axes = figure.subplots()
    for colour, kind in zip(COLOURS, kinds, strict=False):
        own = [row for row in defined if not series or row[series] == kind]
        centre = np.array([_number(row, value) for row in own])
        low = np.array([_number(row, f"{value}_low") for row in own])
        high = np.array([_number(row, f"{value}_high") for row in own])
        shift = 0.15 * (kinds.index(kind) - (len(kinds) - 1) / 2)
        axes.errorbar(
            centre,
            [names.index(str(row[name]) or "all") + shift for row in own],
            xerr=np.nan_to_num([centre - low, high - centre]).clip(min=0),
            fmt="o",
            markersize=3.5,
            linewidth=1,
            color=colour,
            label=kind,
        )
    if defined and reference is not None:
        axes.axvline(reference, color="#888888", linewidth=0.8, linestyle="--")
    axes.set_yticks(range(len(names)), [each.replace("_", " ") for each in names], fontsize=7)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel(f"{title}, 95 % interval", fontsize=8)
    axes.tick_params(axis="x", labelsize=8)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    if not defined:
        axes.text(0.5, 0.5, "undefined on these scans", transform=axes.transAxes, ha="center")
    elif series:
        axes.legend(fontsize=8, frameon=False, loc="lower right")
    return figure


def reliability_curves(
    truth: Float[np.ndarray, "scan label"], probabilities: Float[np.ndarray, "scan label"]
) -> Figure:
    """Probability given against the share that has the label, all labels together."""
    known = ~np.isnan(truth)
    curve = reliability(truth[known] == 1, probabilities[known])
    figure = Figure(figsize=(3.6, 3.4), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="#888888", linewidth=0.8, linestyle="--")
    axes.plot(curve.said, curve.true, "o-", color=COLOURS[0], markersize=4, linewidth=1)
    axes.set_xlabel("probability given", fontsize=8)
    axes.set_ylabel("share that has the label", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.set_aspect("equal")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _number(row: Row, name: str) -> float:
    value = row[name]
    return float(value) if isinstance(value, float | int) else np.nan


# Sides share a hue; grey is no place for a finding. Light and dark alternate without colour.
PLACE_COLOURS = {
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
        axes.barh(0, share, left=left, height=1, color=PLACE_COLOURS[place], linewidth=0)
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
            Patch(color=PLACE_COLOURS[place], label=place.replace("_", " ")) for place in places
        ],
        loc="outside lower center",
        ncols=len(places),
        handlelength=0.9,
        columnspacing=1.2,
        **options,
    )
