"""Figure 13: which slices speak for a label, in scans that have it and in scans that do not.

Draelos and Carin, arXiv:2011.08891, figure 13: mean scores along the body with 95 % intervals,
by AxialNet trained with the mask loss. The table says where the two differ most.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from hirescam.evaluation.localisation import slice_table
from hirescam.evaluation.outcomes import Outcomes
from hirescam.evaluation.tables import Row
from hirescam.experiments.runs import MASK, axialnet
from hirescam.experiments.study import StudySize, study
from hirescam.experiments.tables import Table, write_table
from hirescam.figures.output import RULE, TWO_COLUMNS_MM, headed, printed, readable, where_drawn
from hirescam.training.prepared import OnProgress

FULL, QUICK = StudySize(500, 30, (0,)), StudySize(120, 2, (0,), further=1)
MOST_LABELS, ACROSS = 9, 3
COLOURS = {"present": "#D55E00", "absent": "#0072B2"}  # orange and blue, as in the paper
_FEWEST = 10  # scans of a class: below that an interval says little

Curve = Float[np.ndarray, "slice value"]
"""Mean score of each slice group, and the two ends of its interval."""


def run(
    data: Path,
    out: Path,
    *,
    scale: StudySize = FULL,
    jobs: int = 1,
    on_progress: OnProgress = lambda name, done, of: None,
) -> Table:
    """Train or find the network, average its slice scores, and draw them."""
    chests = study(data, out, scale, jobs=jobs, on_progress=on_progress)
    net = axialnet(chests, MASK, jobs=jobs, on_progress=on_progress)
    test = net.test
    labels = _most_frequent(test)
    slices = [row for row in slice_table(test) if row["label"] in labels]
    write_table(Table("fig13-slices", "Mean score by slice group", slices), out)
    curves = {
        label: {
            which: _curve(slices, label, which) for which in COLOURS if _has(test, label, which)
        }
        for label in labels
    }
    _draw(out / "fig13", curves)
    rows = [_row(test, label, curves[label]) for label in labels]
    few = [row["label"] for row in rows if min(_counts(test, str(row["label"]))) < _FEWEST]
    notes = (
        chests.told,
        "Slice groups are counted from the head. `present_above` is the share of slice groups "
        "whose interval for scans with the label lies above that for scans without.",
        *(
            [f"Fewer than {_FEWEST} scans of a class: {', '.join(map(str, few))}."]
            if few
            else []
        ),
        where_drawn("fig13", "Every mean and interval is in fig13-slices."),
    )
    return Table("fig13", "Slice scores of scans with and without a label", rows, notes)


def _most_frequent(test: Outcomes) -> list[str]:
    """The labels that most scans have, in the order of the network's."""
    count = (test.truth == 1).sum(axis=0)
    chosen = np.sort(np.argsort(-count, kind="stable")[:MOST_LABELS])
    return [test.labels[column] for column in chosen]


def _counts(test: Outcomes, label: str) -> tuple[int, int]:
    truth = test.truth[:, test.labels.index(label)]
    return int((truth == 1).sum()), int((truth == 0).sum())


def _has(test: Outcomes, label: str, which: str) -> bool:
    return _counts(test, label)[list(COLOURS).index(which)] > 0


def _curve(slices: list[Row], label: str, which: str) -> Curve:
    names = ("score", "score_low", "score_high")
    own = [row for row in slices if row["label"] == label and row["class"] == which]
    return np.array([[row[name] for name in names] for row in own], float)


def _row(test: Outcomes, label: str, curves: dict[str, Curve]) -> Row:
    present, absent = _counts(test, label)
    row: Row = {"label": label, "present": present, "absent": absent}
    if len(curves) < len(COLOURS):
        nothing = ("score_present", "score_absent", "most_different_slice", "present_above")
        return row | dict.fromkeys(nothing, np.nan)
    one, other = curves["present"], curves["absent"]
    return row | {
        "score_present": float(one[:, 0].mean()),
        "score_absent": float(other[:, 0].mean()),
        "most_different_slice": int((one - other)[:, 0].argmax()) + 1,
        "present_above": float((one[:, 1] > other[:, 2]).mean()),
    }


def _draw(path: Path, curves: dict[str, dict[str, Curve]]) -> None:
    across = min(ACROSS, len(curves))
    down = -(-len(curves) // across)
    with printed(path, width_mm=TWO_COLUMNS_MM, height_mm=40 * down + 6) as figure:
        grid = figure.subplots(down, across, sharex=True, squeeze=False)
        for number, (axes, (label, of_label)) in enumerate(
            zip(grid.flat, curves.items(), strict=False)
        ):
            _draw_label(axes, of_label)
            axes.set_title(headed(number, readable(label)))
        for axes in grid.flat[len(curves) :]:
            axes.set_axis_off()
        for column in range(across):
            lowest = [axes for axes in grid[:, column] if axes.axison][-1]
            lowest.set_xlabel("slice group, from the head to the feet")
            lowest.tick_params(labelbottom=True)
        for axes in grid[:, 0]:
            axes.set_ylabel("score (logit)")
        figure.legend(
            *grid[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=2
        )


def _draw_label(axes: Axes, curves: dict[str, Curve]) -> None:
    for which, curve in curves.items():
        groups = np.arange(len(curve)) + 1
        colour = COLOURS[which]
        style = "-" if which == "present" else (0, (3, 1.2))
        axes.fill_between(groups, curve[:, 1], curve[:, 2], color=colour, alpha=0.25, lw=0)
        axes.plot(
            groups, curve[:, 0], color=colour, linestyle=style, label=f"{which}, 95 % interval"
        )
    axes.axhline(0, color=RULE, linewidth=0.5, zorder=0)
    axes.margins(x=0)
