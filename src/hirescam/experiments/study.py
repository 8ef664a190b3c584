"""Study: the data of an experiment, what training sees of it, and the truth that judges.

Simulated chests unless a folder of RAD-ChestCT is given; then the paper's own recipe is run,
and its numbers may be compared with the paper's. Experiments share data and trained networks.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hirescam.experiments.chests import make_chests, partition_table, recipe, true_cases
from hirescam.training.config import TrainConfig
from hirescam.training.datasets import rad_chestct
from hirescam.training.datasets.cases import Case
from hirescam.training.datasets.read import read_cases
from hirescam.training.losses import MASK_LOSS_WEIGHT
from hirescam.training.prepared import OnProgress
from hirescam.training.run_folder import BEST

STRONG = 10.0
"""λ on simulated chests.

A few epochs are no hundred: with the paper's 1/3, a forbidden cell then feels a hundredth of
what the classification loss makes it feel. From the first step on, though, 10 keeps a network
from learning anything, so it learns to classify first.
"""

_FURTHER_RATE = 1e-3


@dataclass(frozen=True)
class Scale:
    """How much is simulated and trained; RAD-ChestCT is taken whole, by its own recipe."""

    chests: int
    epochs: int
    seeds: tuple[int, ...]
    further: int = 4
    """Epochs of mask loss after those of classification alone."""


@dataclass(frozen=True, eq=False)
class Study:
    """`recipe(**changes)` is how a network is trained; `cases`, by split, are what is true.

    `further` changes a recipe so that it goes on from the network of an earlier run, and
    `mask_loss_weight` is the λ that then shows in the maps. `runs` is the folder in which
    experiments find the networks that others of them trained.
    """

    told: str
    recipe: Callable[..., TrainConfig]
    further: Callable[[Path], Mapping[str, object]]
    mask_loss_weight: float
    cases: Mapping[str, Sequence[Case]]
    cache: Path
    runs: Path
    of_paper: bool


def study(data: Path, out: Path, scale: Scale, *, jobs: int, on_progress: OnProgress) -> Study:
    """RAD-ChestCT if `data` holds its tables, else simulated chests, made there if missing."""
    if any(data.rglob(rad_chestct.TABLES["train"])):
        return _rad_chestct(data, out)
    return _simulated(data, out, scale, jobs, on_progress)


def _simulated(
    data: Path, out: Path, scale: Scale, jobs: int, on_progress: OnProgress
) -> Study:
    chests = data / f"{scale.chests}-chests"
    make_chests(chests, scale.chests, jobs=jobs, on_progress=on_progress)
    partition_table(chests)
    cases = true_cases(chests)
    told = (
        f"{scale.chests} simulated chests of 3 mm voxels, {len(cases['test'])} of them for "
        f"testing; seeds: {len(scale.seeds)}. Labels for training were read from the reports, "
        f"organs segmented from the scans; measured against the truth. The paper's numbers are "
        f"of real scans and 80 labels: only directions can be compared."
    )

    return Study(
        told,
        partial(recipe, chests, epochs=scale.epochs),
        partial(going_on, epochs=scale.further),
        STRONG,
        cases,
        chests / "cache",
        out / "runs" / f"{chests.name}-{scale.epochs}-epochs",
        of_paper=False,
    )


def going_on(first: Path, epochs: int) -> Mapping[str, object]:
    """What changes in a recipe that goes on from the network of the run `first`."""
    return {
        "start": "model",
        "start_model": first / BEST,
        "epochs": epochs,
        "learning_rate": _FURTHER_RATE,
    }


def _rad_chestct(data: Path, out: Path) -> Study:
    config = TrainConfig(layout="rad-chestct", data=data)
    cases = read_cases(config).splits
    told = (
        f"RAD-ChestCT: {', '.join(f'{len(each)} {split}' for split, each in cases.items())} "
        f"scans, labels from their reports, organs segmented from the scans."
    )

    def paper_recipe(**changes: object) -> TrainConfig:
        return TrainConfig.model_validate({"layout": "rad-chestct", "data": data, **changes})

    return Study(
        told,
        paper_recipe,
        lambda first: {},
        MASK_LOSS_WEIGHT,
        cases,
        data / "cache",
        out / "runs" / "rad-chestct",
        of_paper=True,
    )
