"""Charts of an evaluation: estimates with their intervals, probabilities against the truth."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from hirescam.evaluation.tables import Row
from hirescam.metrics.calibration import reliability

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
    found = reliability(truth[known] == 1, probabilities[known])
    figure = Figure(figsize=(3.6, 3.4), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="#888888", linewidth=0.8, linestyle="--")
    axes.plot(found.said, found.true, "o-", color=COLOURS[0], markersize=4, linewidth=1)
    axes.set_xlabel("probability given", fontsize=8)
    axes.set_ylabel("share that has the label", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.set_aspect("equal")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _number(row: Row, name: str) -> float:
    value = row[name]
    return float(value) if isinstance(value, float | int) else np.nan
