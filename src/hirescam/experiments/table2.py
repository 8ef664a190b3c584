"""Table 2: does the mask loss make HiResCAM maps stay in the organ?

Draelos and Carin, arXiv:2011.08891, table 2: AxialNet with and without the mask loss, OrganIoU
by Grad-CAM and by HiResCAM. Here on simulated chests, a small AxialNet, several seeds.
"""

from pathlib import Path

import numpy as np

from hirescam.evaluation.classification import median_auroc
from hirescam.evaluation.localisation import overall
from hirescam.evaluation.outcomes import METHODS
from hirescam.evaluation.references import WHAT_REFERENCES_SAY
from hirescam.evaluation.tables import Row, interval_columns
from hirescam.experiments.runs import (
    CLASS,
    MASK,
    Aim,
    TestedModel,
    axialnet,
    each_seed,
    localisation_columns,
    over_seeds,
    reference_rows,
    relative_gain,
)
from hirescam.experiments.study import Study, StudySize, study
from hirescam.experiments.tables import Table
from hirescam.training.losses import MASK_LOSS_WEIGHT
from hirescam.training.prepared import OnProgress

LOSSES = {
    "class loss": CLASS,
    "class + mask loss": MASK,
    "class + mask loss, λ = 1/3": Aim("published", MASK_LOSS_WEIGHT),
}
PAPER = {
    ("class loss", "gradcam"): 0.201,
    ("class loss", "hirescam"): 0.207,
    ("class + mask loss", "gradcam"): 0.214,
    ("class + mask loss", "hirescam"): 0.276,
}

FULL, QUICK = StudySize(500, 30, (0, 1, 2)), StudySize(120, 2, (0,), further=1)


def run(
    data: Path,
    out: Path,
    *,
    scale: StudySize = FULL,
    jobs: int = 1,
    on_progress: OnProgress = lambda name, done, of: None,
) -> Table:
    """Simulate, label, segment, train and measure; what is done already is not done again."""
    chests = study(data, out, scale, jobs=jobs, on_progress=on_progress)
    found: dict[str, list[TestedModel]] = {}
    for loss, aim in _losses(chests).items():
        for seed in scale.seeds:
            net = axialnet(chests, aim, seed=seed, jobs=jobs, on_progress=on_progress)
            found.setdefault(loss, []).append(TestedModel.of(net.valid, net.test))
    rows = [_row(loss, method, found[loss]) for loss in found for method in METHODS[::-1]]
    for name, interval, columns in reference_rows(found["class + mask loss"]):
        row = {
            "trained with": "nothing",
            "map": name,
            **interval_columns("organ_iou", interval),
        }
        rows.append({**dict.fromkeys(rows[0], ""), **row, **columns})
    return Table(
        "table2",
        "OrganIoU with and without the mask loss",
        rows,
        notes=(WHAT_REFERENCES_SAY, *_gains(found), *_how(chests, scale), chests.told),
    )


def _losses(chests: Study) -> dict[str, Aim]:
    """Those that differ: the paper's λ once, where it is the study's."""
    return {loss: aim for loss, aim in LOSSES.items() if aim.weight != chests.mask_loss_weight}


def _how(chests: Study, scale: StudySize) -> tuple[str, ...]:
    if chests.of_paper:
        return ()
    return (
        f"Every network learnt from the class loss for {scale.epochs} epochs, and went on for "
        f"{scale.further} with its own; λ = {chests.mask_loss_weight:g} unless a row says "
        f"otherwise.",
    )


def _row(loss: str, method: str, of_seeds: list[TestedModel]) -> Row:
    values = over_seeds(of_seeds, method)
    aurocs = [median_auroc(one.test, draws=200) for one in of_seeds]
    return {
        "trained with": loss,
        "map": method,
        **interval_columns("organ_iou", overall(values)),
        "seeds": each_seed(of_seeds, method),
        "median_auroc": float(np.mean([each.value for each in aurocs])),
        **localisation_columns(of_seeds, method),
        "paper_on_rad_chestct": PAPER.get((loss, method), "n/a"),
    }


def _gains(found: dict[str, list[TestedModel]]) -> tuple[str, ...]:
    """What the mask loss with HiResCAM gains, over either map of the class loss."""
    with_mask = over_seeds(found["class + mask loss"], "hirescam")
    return tuple(
        _told(with_mask, over_seeds(found["class loss"], method), method)
        for method in METHODS[::-1]
    )


def _told(one: np.ndarray, other: np.ndarray, method: str) -> str:
    gain = relative_gain(one, other)
    return (
        f"Mask loss with HiResCAM against class loss with {method}: {gain.value:+.1%} "
        f"(95 % interval {gain.low:+.1%} to {gain.high:+.1%}, scans drawn again)."
    )
