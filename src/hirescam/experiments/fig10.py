"""Figure 10: do maps stay in the organ better where fewer labels are present?

Draelos and Carin, arXiv:2011.08891, figure 10: IoU throughout training, by the number of labels
per image, there of photographs and VGG-16: best with one label, in every epoch. Here the
OrganIoU of HiResCAM on scans, by AxialNet with the mask loss.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool
from matplotlib.ticker import MaxNLocator

from hirescam.evaluation.localisation import Values, chosen_thresholds, organ_values, overall
from hirescam.evaluation.outcomes import Outcomes
from hirescam.evaluation.references import (
    ATLAS,
    WHAT_REFERENCES_SAY,
    ReferenceValues,
    gain,
    reference_values,
)
from hirescam.evaluation.tables import Row, interval_columns
from hirescam.experiments.runs import MASK, Epoch, axialnet_config, epochs, run_folder
from hirescam.experiments.study import StudySize, study
from hirescam.experiments.tables import Table
from hirescam.figures.charts import COLOURS
from hirescam.figures.output import ONE_COLUMN_MM, printed, where_drawn
from hirescam.training.prepared import OnProgress

FULL, QUICK = StudySize(500, 30, (0,), further=8), StudySize(120, 2, (0,), further=1)
GROUPS = ("1", "2", "3 or more")
FEWEST = 5  # scans of a group that are worth a curve
_MARKERS = ("o", "s", "^")


def run(
    data: Path,
    out: Path,
    *,
    scale: StudySize = FULL,
    jobs: int = 1,
    on_progress: OnProgress = lambda name, done, of: None,
) -> Table:
    """Train, look at every epoch, and draw how well its maps stay in the organs."""
    chests = study(data, out, scale, jobs=jobs, on_progress=on_progress)
    config = axialnet_config(chests, MASK, seed=0, jobs=jobs, on_progress=on_progress)
    folder = run_folder(
        chests.runs, config.model_copy(update={"name": f"{config.name}-by-epoch"})
    )
    rows = [
        row
        for epoch in epochs(config, chests, folder, jobs=jobs, on_progress=on_progress)
        for row in _rows(epoch)
    ]
    drawn = [row for row in rows if int(str(row["scans"])) >= FEWEST]
    left_out = sorted({str(row["labels"]) for row in rows} - {str(r["labels"]) for r in drawn})
    notes = [
        "OrganIoU of HiResCAM on test scans at thresholds chosen on validation scans in the "
        "same epoch; 95 % intervals, scans drawn again.",
        chests.told,
        WHAT_REFERENCES_SAY,
    ]
    if left_out:
        notes.append(f"Not drawn, fewer than {FEWEST} scans: {', '.join(left_out)} labels.")
    if drawn:
        _draw(out / "fig10", drawn)
        notes.append(where_drawn("fig10"))
    title = "OrganIoU by labels per scan throughout training"
    return Table("fig10", title, rows, tuple(notes))


def _rows(epoch: Epoch) -> Iterator[Row]:
    values = organ_values(epoch.test, "hirescam", chosen_thresholds(epoch.valid))
    references = reference_values(epoch.test, epoch.valid)
    for group, scans in _by_labels(epoch.test).items():
        if scans.any():
            yield {
                "epoch": epoch.number,
                "labels": group,
                "scans": int(scans.sum()),
                **interval_columns("organ_iou", overall(values[scans], draws=500)),
                **_references(values[scans], references, scans),
            }


def _references(
    values: Values, references: ReferenceValues | None, scans: Bool[np.ndarray, "scan"]
) -> Row:
    """OrganIoU of each reference on the same scans, and the network's gain over the atlas."""
    if references is None:
        return {}
    means = {
        name.replace(" ", "_"): float(np.nanmean(each[scans]))
        for name, each in references.organ_iou.items()
    }
    found = gain(values, references.organ_iou[ATLAS][scans], draws=500)
    return {**means, **interval_columns("gain_over_atlas", found)}


def _by_labels(test: Outcomes) -> dict[str, Bool[np.ndarray, "scan"]]:
    """Which scans have one label, two, or more."""
    count = np.minimum((test.truth == 1).sum(axis=1), len(GROUPS))
    return {group: count == number for number, group in enumerate(GROUPS, start=1)}


def _draw(path: Path, rows: Sequence[Row]) -> None:
    with printed(path, width_mm=ONE_COLUMN_MM, height_mm=62) as figure:
        axes = figure.subplots()
        for group, colour, marker in zip(GROUPS, COLOURS, _MARKERS, strict=False):
            own = [row for row in rows if row["labels"] == group]
            if not own:
                continue
            epoch, value, low, high = (
                np.array([row[name] for row in own], float)
                for name in ("epoch", "organ_iou", "organ_iou_low", "organ_iou_high")
            )
            axes.fill_between(epoch, low, high, color=colour, alpha=0.18, linewidth=0)
            label = f"{group} (n = {own[0]['scans']})"
            axes.plot(epoch, value, color=colour, marker=marker, label=label)
        axes.set_xlabel("epoch")
        axes.set_ylabel("OrganIoU of HiResCAM, 95 % interval")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylim(0, 1)
        figure.legend(loc="outside upper center", ncols=3, title="labels per scan")
