"""Table 6: how should organ masks be shrunk to a map's cells for the mask loss?

Draelos and Carin, arXiv:2011.08891, table 6: AxialNet trained with masks that were down-sampled
in three ways, each with and without dilation; the best median AUROC decides. Ours is the
fourth: `centre` looks where each cell's receptive field is centred.
"""

from dataclasses import replace
from pathlib import Path

from hirescam.evaluation.classification import median_auroc
from hirescam.evaluation.localisation import overall
from hirescam.evaluation.references import WHAT_REFERENCES_SAY
from hirescam.evaluation.tables import Row, interval_columns
from hirescam.experiments import table2
from hirescam.experiments.runs import (
    MASK,
    Aim,
    TestedModel,
    axialnet,
    localisation_columns,
    over_seeds,
    reference_rows,
)
from hirescam.experiments.study import Study, StudySize, study
from hirescam.experiments.tables import Table
from hirescam.regions.downsample import Downsampling
from hirescam.training.prepared import OnProgress

PAPER: dict[tuple[Downsampling, bool], float | None] = {
    ("area", False): 0.658,
    ("area", True): 0.662,
    ("trilinear", False): 0.661,
    ("trilinear", True): 0.671,
    ("nearest", False): 0.679,
    ("nearest", True): 0.654,
    ("centre", False): None,
    ("centre", True): None,
}
"""Median AUROC by way of down-sampling, and whether masks are dilated after it."""

FULL, QUICK = table2.FULL, table2.QUICK  # so that its trained AxialNets are found


def run(
    data: Path,
    out: Path,
    *,
    scale: StudySize = FULL,
    jobs: int = 1,
    on_progress: OnProgress = lambda name, done, of: None,
) -> Table:
    """Train on each kind of masks from each seed; what is done already is not done again."""
    chests = study(data, out, scale, jobs=jobs, on_progress=on_progress)
    tested = {
        kind: [_judged(chests, *kind, seed, jobs, on_progress) for seed in scale.seeds]
        for kind in PAPER
    }
    rows = [_row(*kind, of_seeds) for kind, of_seeds in tested.items()]
    like = dict.fromkeys(rows[0], "")
    beside = reference_rows(tested[next(iter(tested))])
    rows += [
        {
            **like,
            "down-sampling": f"({name})",
            **interval_columns("organ_iou", found),
            **columns,
        }
        for name, found, columns in beside
    ]
    return Table(
        "table6",
        "Down-sampling and dilation of organ masks for the mask loss",
        rows,
        notes=(WHAT_REFERENCES_SAY, *_NOTES, chests.told),
    )


_NOTES = (
    "Each network was trained with the mask loss on masks made in its row's way. All are "
    "judged alike: scores on test scans, OrganIoU by HiResCAM against organs where the cells' "
    "receptive fields are centred. The paper reports validation scans.",
    "`nearest` is the published way: it takes the corner of each block of the slice, where "
    "neither the block's centre nor the cell's receptive field is.",
)


def _judged(
    chests: Study,
    how: Downsampling,
    dilated: bool,
    seed: int,
    jobs: int,
    on_progress: OnProgress,
) -> TestedModel:
    net = axialnet(chests, aim(how, dilated), seed=seed, jobs=jobs, on_progress=on_progress)
    return TestedModel.of(net.valid, net.test)


def aim(how: Downsampling, dilated: bool) -> Aim:
    """Mask loss on masks of this kind; that of table 2 where both train the same network."""
    if (how, dilated) == ("centre", False):
        return MASK
    masks: dict[str, object] = {"downsampling": how} | ({"dilated": True} if dilated else {})
    return replace(MASK, masks=masks)


def _row(how: Downsampling, dilated: bool, of_seeds: list[TestedModel]) -> Row:
    paper = PAPER[how, dilated]
    return {
        "down-sampling": how,
        "dilated": "yes" if dilated else "no",
        **interval_columns(
            "median_auroc", median_auroc(*(one.test for one in of_seeds), draws=200)
        ),
        **interval_columns("organ_iou", overall(over_seeds(of_seeds, "hirescam"))),
        **localisation_columns(of_seeds, "hirescam"),
        "paper_median_auroc": "n/a" if paper is None else paper,
    }
