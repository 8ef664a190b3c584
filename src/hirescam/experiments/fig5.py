"""Figure 5: predictions of which Grad-CAM and HiResCAM tell different stories.

Draelos and Carin, arXiv:2011.08891, figures 1 and 5: the same network and the same scan, but
Grad-CAM points at an organ that the network did not use. Such pairs are found by the organs in
which each map has its evidence, not picked by eye. Every true positive is counted.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from hirescam.evaluation.outcomes import METHODS
from hirescam.evaluation.tables import Row
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
from hirescam.experiments.tables import Table, write_table
from hirescam.figures.charts import place_legend
from hirescam.figures.output import TWO_COLUMNS_MM, headed, printed, readable, where_drawn
from hirescam.figures.scan_panel import HEIGHT_OF_WIDTH, colour_bar, note
from hirescam.training.datasets.cases import Case
from hirescam.training.prepared import OnProgress

FULL, QUICK = StudySize(500, 30, (0,)), StudySize(120, 2, (0,), further=1)
SHOWN = 3  # of each of the first two stories
SIDE_BY_SIDE = ("gradcam", "hirescam")
STORIES = {  # whether Grad-CAM, and HiResCAM, points where the label cannot lie
    "Grad-CAM alone points elsewhere": (True, False),
    "both point at an organ of the label": (False, False),
    "HiResCAM alone points elsewhere": (False, True),
    "both point elsewhere": (True, True),
}


def run(
    data: Path,
    out: Path,
    *,
    scale: StudySize = FULL,
    jobs: int = 1,
    on_progress: OnProgress = lambda name, done, of: None,
) -> Table:
    """Train or find the network, see where its maps point, and draw where they disagree."""
    chests = study(data, out, scale, jobs=jobs, on_progress=on_progress)
    net = axialnet(chests, MASK, jobs=jobs, on_progress=on_progress)
    numbers = some_scans(len(chests.cases["test"]))
    cases = [chests.cases["test"][number] for number in numbers]
    seen = gather(net.model, cases, net.folder / "evidence", on_progress=on_progress)
    right = kinds(net.test, net.valid)["true positive"][numbers]
    stories = _stories(seen, right)
    shown = {
        story: varied(_ranked(seen, story, stories[story]), SHOWN)
        for story in list(STORIES)[:2]
    }
    probabilities = net.test.probabilities[numbers]
    examples = [
        {
            "scan": cases[scan].id,
            "label": net.model.labels[label],
            "story": story,
            "probability": float(probabilities[scan, label]),
            "map": method,
            **dict(
                zip(
                    PLACES,
                    seen.shares[scan, METHODS.index(method), label].tolist(),
                    strict=True,
                )
            ),
        }
        for story, chosen in shown.items()
        for scan, label in chosen
        for method in SIDE_BY_SIDE
    ]
    notes = [f"{POINTS} {PREDICTED}", chests.told]
    if examples:
        _draw(out / "fig5", net, cases, list(shown.values()), seen)
        write_table(
            Table("fig5-examples", "Shares of positive evidence by place", examples), out
        )
        notes.append(where_drawn("fig5", "Their shares by place are in fig5-examples."))
    return Table(
        "fig5", "Where the maps of true positives point", _counts(stories), tuple(notes)
    )


def _stories(
    seen: PlaceEvidence, right: Bool[np.ndarray, "scan label"]
) -> dict[str, Bool[np.ndarray, "scan label"]]:
    elsewhere = {method: seen.elsewhere[:, row] for row, method in enumerate(METHODS)}
    told = right & ~np.isnan(seen.inside).any(axis=1)
    return {
        story: told & (elsewhere["gradcam"] == gradcam) & (elsewhere["hirescam"] == hirescam)
        for story, (gradcam, hirescam) in STORIES.items()
    }


def _ranked(
    seen: PlaceEvidence, story: str, which: Bool[np.ndarray, "scan label"]
) -> list[Pair]:
    """The clearest first: where the maps differ most, or where both are most inside."""
    hirescam, gradcam = (
        seen.inside[:, METHODS.index(name)] for name in ("hirescam", "gradcam")
    )
    same = len(set(STORIES[story])) == 1
    clear = np.minimum(hirescam, gradcam) if same else np.abs(hirescam - gradcam)
    return sorted(pairs(which), key=lambda pair: -clear[pair])


def _counts(stories: dict[str, Bool[np.ndarray, "scan label"]]) -> list[Row]:
    total = sum(int(which.sum()) for which in stories.values())
    return [
        {
            "maps of true positives": story,
            "pairs": int(which.sum()),
            "share": float(which.sum() / total) if total else np.nan,
        }
        for story, which in stories.items()
    ]


def _draw(
    path: Path,
    net: AxialNet,
    cases: Sequence[Case],
    columns: Sequence[Sequence[Pair]],
    seen: PlaceEvidence,
) -> None:
    """Stories side by side, each pair of a scan and a label as two maps of the same slice."""
    rows = max(len(column) for column in columns)
    panel_mm = TWO_COLUMNS_MM / 4.35
    height_mm = rows * (panel_mm * HEIGHT_OF_WIDTH + 8.5) + 8
    with printed(path, width_mm=TWO_COLUMNS_MM, height_mm=height_mm) as figure:
        grid = panels(figure, rows, 4, bars=True)
        for side, column in enumerate(columns):
            for row, (scan, label) in enumerate(column):
                name = net.model.labels[label]
                mapped = map_scan(net.model, cases[scan])
                for place, method in enumerate(SIDE_BY_SIDE):
                    panel, bar = grid[2 * row : 2 * row + 2, 2 * side + place]
                    mapped.draw(panel, name, method=method)
                    draw_places(bar, seen, scan, method, label)
                    note(panel, METHOD_NAMES[method])
                grid[2 * row, 2 * side].set_title(headed(side * rows + row, readable(name)))
        colour_bar(figure, grid[:, 3], aspect=30, shrink=0.4)
        place_legend(figure, PLACES)
