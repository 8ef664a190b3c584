"""AxialNets: the paper's network, trained with a loss and a seed once for all experiments."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hirescam.evaluation.outcomes import Outcomes
from hirescam.evaluation.run import evaluate
from hirescam.experiments.runs import trained
from hirescam.experiments.study import Study
from hirescam.models.files import Model
from hirescam.training.prepared import OnProgress


@dataclass(frozen=True, eq=False)
class AxialNet:
    """A trained network, what it did on scans of either split, and the folder that keeps it."""

    model: Model
    valid: Outcomes
    test: Outcomes
    folder: Path


def axialnet(
    chests: Study,
    mask_loss: str | None,
    *,
    seed: int = 0,
    jobs: int,
    on_progress: OnProgress,
) -> AxialNet:
    """The network of table 2 with this loss and seed: found if it was trained, else trained."""
    name = f"AxialNet-{mask_loss or 'class'}-{seed}"
    config = chests.recipe(name=name, seed=seed, mask_loss=mask_loss, workers=jobs)
    folder = chests.runs / name
    model = trained(config, folder, on_progress)
    outcomes = partial(evaluate, model, cache=chests.cache, jobs=jobs, on_progress=on_progress)
    valid, test = (
        outcomes(chests.cases[split], keep=folder / split) for split in ("valid", "test")
    )
    return AxialNet(model, valid, test, folder)
