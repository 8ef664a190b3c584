"""Figure 12: a gallery of scans and labels drawn by chance, by HiResCAM and by Grad-CAM.

Draelos and Carin, arXiv:2011.08891, figure 12, there of photographs. Nothing is chosen by how
it looks: what a reader sees here is what the network does.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hirescam.evaluation.localisation import chosen_thresholds, organ_values
from hirescam.evaluation.outcomes import METHODS, Outcomes
from hirescam.evaluation.references import WHAT_REFERENCES_SAY, reference_values
from hirescam.experiments.map_figures import METHOD_NAMES, Pair, map_scan, pairs
from hirescam.experiments.runs import MASK, AxialNet, axialnet
from hirescam.experiments.study import StudySize, study
from hirescam.experiments.tables import Table
from hirescam.figures.output import TWO_COLUMNS_MM, printed, readable, where_drawn
from hirescam.figures.scan_panel import HEIGHT_OF_WIDTH, colour_bar, note
from hirescam.metrics.lesions import LESION_MEASURES
from hirescam.training.datasets.cases import Case
from hirescam.training.prepared import OnProgress

FULL, QUICK = StudySize(500, 30, (0,)), StudySize(120, 2, (0,), further=1)
SHOWN, ACROSS = 18, 3


def run(
    data: Path,
    out: Path,
    *,
    scale: StudySize = FULL,
    jobs: int = 1,
    on_progress: OnProgress = lambda name, done, of: None,
) -> Table:
    """Train or find the network, draw lots among the labels that scans have, and show them."""
    chests = study(data, out, scale, jobs=jobs, on_progress=on_progress)
    net = axialnet(chests, MASK, jobs=jobs, on_progress=on_progress)
    present = pairs(net.test.truth == 1)
    lots = np.random.default_rng(0).permutation(len(present))[:SHOWN]
    shown = [present[lot] for lot in sorted(lots.tolist())]
    thresholds = chosen_thresholds(net.valid)
    organ_ious = {method: organ_values(net.test, method, thresholds) for method in METHOD_NAMES}
    references = reference_values(net.test, net.valid)
    ious_of_references = {} if references is None else references.organ_iou
    rows = [
        {
            "scan": net.test.scans[scan],
            "label": net.test.labels[label],
            "probability": float(net.test.probabilities[scan, label]),
            **{
                f"organ_iou_{method}": float(of[scan, label])
                for method, of in organ_ious.items()
            },
            **{
                name.replace(" ", "_"): float(of[scan, label])
                for name, of in ious_of_references.items()
            },
            **_lesion_columns(net.test, scan, label),
        }
        for scan, label in shown
    ]
    notes = [
        chests.told,
        WHAT_REFERENCES_SAY,
        f"{len(shown)} of {len(present)} pairs of a scan and its label.",
    ]
    if shown:
        _draw(out / "fig12", net, chests.cases["test"], shown)
        notes.append(where_drawn("fig12"))
    return Table("fig12", "Scans and labels drawn by chance", rows, tuple(notes))


def _lesion_columns(test: Outcomes, scan: int, label: int) -> dict[str, float]:
    """How HiResCAM finds the lesion, where its place is known."""
    if test.lesions is None:
        return {}
    measured = test.lesions[scan, METHODS.index("hirescam"), label]
    return dict(zip(LESION_MEASURES, measured.astype(float).tolist(), strict=True))


def _draw(path: Path, net: AxialNet, cases: Sequence[Case], shown: Sequence[Pair]) -> None:
    """The same pairs twice: the left half by one method, the right half by the other."""
    down = -(-len(shown) // ACROSS)
    panel_mm = TWO_COLUMNS_MM / (2 * ACROSS + 0.7)
    height_mm = down * (panel_mm * HEIGHT_OF_WIDTH + 4.5) + 6
    with printed(path, width_mm=TWO_COLUMNS_MM, height_mm=height_mm) as figure:
        widths = [1] * ACROSS + [0.06] + [1] * ACROSS
        grid = figure.subplots(
            down, len(widths), gridspec_kw={"width_ratios": widths}, squeeze=False
        )
        for axes in grid.flat:
            axes.set_axis_off()
        halves = [grid[:, :ACROSS].ravel(), grid[:, -ACROSS:].ravel()]
        for number, (scan, label) in enumerate(shown):
            mapped = map_scan(net.model, cases[scan])
            name = net.model.labels[label]
            for half, method in zip(halves, METHOD_NAMES, strict=True):
                axes = half[number]
                mapped.draw(axes, name, method=method)
                axes.set_title(readable(name), fontsize=6)
                note(axes, f"p = {net.test.probabilities[scan, label]:.2f}")
        for half, told in zip(halves, METHOD_NAMES.values(), strict=True):
            first = half[0].get_title("left")
            half[0].set_title(rf"$\bf{{{told}}}$" + f"\n{first}", fontsize=6)
        colour_bar(figure, grid[:, -1], aspect=40, shrink=0.3)
