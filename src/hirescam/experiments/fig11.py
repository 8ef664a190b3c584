"""Figure 11: wrong predictions that their own map gives away.

Draelos and Carin, arXiv:2011.08891, figure 11 and section 14.2: of 212 wrong predictions, the
HiResCAM maps of 79 % pointed outside the body or at a wrong organ. There people judged; here a
rule does, the same for every map, and right predictions are held against it too: a rule that
finds fault with every map gives nothing away.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool
from matplotlib.axes import Axes

from hirescam.evaluation.outcomes import METHODS
from hirescam.evaluation.tables import Row, interval_columns, share
from hirescam.experiments.map_figures import (
    METHOD_NAMES,
    PLACES,
    POINTS,
    PREDICTED,
    Pair,
    PlaceEvidence,
    draw_places,
    gather,
    kinds,
    map_scan,
    pairs,
    panels,
    some_scans,
    varied,
)
from hirescam.experiments.runs import MASK, AxialNet, axialnet
from hirescam.experiments.study import StudySize, study
from hirescam.experiments.tables import Table
from hirescam.figures.charts import place_legend
from hirescam.figures.output import RULE, TWO_COLUMNS_MM, headed, printed, readable, where_drawn
from hirescam.figures.scan_panel import HEIGHT_OF_WIDTH, colour_bar, note
from hirescam.metrics.classification import Interval, bootstrap
from hirescam.training.datasets.cases import Case
from hirescam.training.prepared import OnProgress

FULL, QUICK = StudySize(500, 30, (0,)), StudySize(120, 2, (0,), further=1)
PAPER = 0.79
SHOWN, ACROSS = 6, 3
HIRESCAM = METHODS.index("hirescam")


def run(
    data: Path,
    out: Path,
    *,
    scale: StudySize = FULL,
    jobs: int = 1,
    on_progress: OnProgress = lambda name, done, of: None,
) -> Table:
    """Train or find the network, look where the maps of its predictions point, and count."""
    chests = study(data, out, scale, jobs=jobs, on_progress=on_progress)
    net = axialnet(chests, MASK, jobs=jobs, on_progress=on_progress)
    numbers = some_scans(len(chests.cases["test"]))
    cases = [chests.cases["test"][number] for number in numbers]
    seen = gather(net.model, cases, net.folder / "evidence", on_progress=on_progress)
    predictions = {kind: which[numbers] for kind, which in kinds(net.test, net.valid).items()}
    predictions = {
        "wrong": predictions["false positive"] | predictions["false negative"],
        **predictions,
    }
    rows = [_row(seen, kind, which) for kind, which in predictions.items()]
    given_away = predictions["false positive"] & seen.elsewhere[:, HIRESCAM]
    shown = _most_believed(net, numbers, given_away)
    notes = [
        chests.told,
        f"A map gives a prediction away if it points at a place in which the label cannot lie. "
        f"{POINTS} `even` is the share that maps without any structure would give away; "
        f"`paper` is what people saw in 212 wrong predictions on RAD-ChestCT. 95 % intervals, "
        f"scans drawn again. {PREDICTED}",
    ]
    _draw(out / "fig11", net, cases, shown, seen, rows)
    notes.append(where_drawn("fig11", *_how_many(len(shown))))
    return Table("fig11", "Predictions that their map gives away", rows, tuple(notes))


def _row(seen: PlaceEvidence, kind: str, which: Bool[np.ndarray, "scan label"]) -> Row:
    row: Row = {"prediction": kind, "pairs": int(which.sum())}
    for number, method in enumerate(METHODS):
        told = which & ~np.isnan(seen.inside[:, number])
        row |= interval_columns(
            f"given_away_{method}", _interval(told & seen.elsewhere[:, number], told)
        )
    even = share(which & seen.even_elsewhere, which)
    return row | {"even": even, "paper": PAPER if kind == "wrong" else np.nan}


def _interval(
    found: Bool[np.ndarray, "scan label"], told: Bool[np.ndarray, "scan label"]
) -> Interval:
    """The share of pairs, its interval over scans."""
    return bootstrap(lambda scans: share(found[scans], told[scans]), len(told))


def _most_believed(
    net: AxialNet, numbers: Sequence[int], which: Bool[np.ndarray, "scan label"]
) -> list[Pair]:
    """Some of these predictions, those first that the network was most sure of."""
    logits = net.test.logits[numbers]
    return varied(sorted(pairs(which), key=lambda pair: -logits[pair]), SHOWN)


def _how_many(shown: int) -> tuple[str, ...]:
    return () if shown == SHOWN else (f"Only {shown} false positives were given away.",)


def _draw(
    path: Path,
    net: AxialNet,
    cases: Sequence[Case],
    shown: Sequence[Pair],
    seen: PlaceEvidence,
    rows: Sequence[Row],
) -> None:
    down = -(-max(len(shown), 1) // ACROSS)
    panel_mm = 0.65 * TWO_COLUMNS_MM / ACROSS
    height_mm = max(down * (panel_mm * HEIGHT_OF_WIDTH + 8.5) + 8, 60.0)
    with printed(path, width_mm=TWO_COLUMNS_MM, height_mm=height_mm) as figure:
        left, right = figure.subfigures(1, 2, width_ratios=[0.72, 0.28], squeeze=False).flat
        grid = panels(left, down, ACROSS, bars=True)
        for number, (scan, label) in enumerate(shown):
            row, column = divmod(number, ACROSS)
            panel, bar = grid[2 * row : 2 * row + 2, column]
            name = net.model.labels[label]
            mapped = map_scan(net.model, cases[scan], ("hirescam",))
            mapped.draw(panel, name)
            panel.set_title(headed(number, readable(name)))
            note(panel, f"p = {mapped.explanations['hirescam'].probabilities[name]:.2f}")
            draw_places(bar, seen, scan, "hirescam", label)
        if shown:
            colour_bar(left, grid[:, -1], aspect=30, shrink=0.4)
            place_legend(left, PLACES)
        chart = right.subplots()
        _chart(chart, rows)
        chart.set_title(headed(len(shown), "given away by the map"))


def _chart(axes: Axes, rows: Sequence[Row]) -> None:
    """The share given away of each kind, for either method and for maps without structure."""
    for number, (method, colour, marker) in enumerate(
        (("hirescam", "#D55E00", "o"), ("gradcam", "#0072B2", "s"))
    ):
        name = f"given_away_{method}"
        value, low, high = (
            np.array([row[column] for row in rows], float)
            for column in (name, f"{name}_low", f"{name}_high")
        )
        axes.errorbar(
            value,
            np.arange(len(rows)) + 0.22 * (number - 0.5),
            xerr=np.nan_to_num([value - low, high - value]).clip(min=0),
            fmt=marker,
            color=colour,
            linewidth=1,
            label=METHOD_NAMES[method],
        )
    even = [float(row["even"]) for row in rows]  # type: ignore[arg-type]  # a number
    axes.plot(even, np.arange(len(rows)), "|", color=RULE, markersize=12, label="even map")
    axes.plot(
        [PAPER], [0], "D", color="black", markerfacecolor="white", label="paper, by people"
    )
    axes.set_yticks(
        range(len(rows)),
        [f"{row['prediction']}\n(n = {row['pairs']})" for row in rows],
    )
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of predictions")
    axes.grid(axis="x")
    axes.figure.legend(loc="outside lower center", ncols=2, columnspacing=1)
