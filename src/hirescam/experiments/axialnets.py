"""AxialNets: the paper's network, trained for a loss from a seed once for all experiments.

On simulated chests each first learns to classify, and goes on from there with its own loss, the
class loss alone too; on RAD-ChestCT each is trained at once, as in the paper.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hirescam.evaluation.outcomes import Outcomes
from hirescam.experiments.runs import outcomes_of, trained
from hirescam.experiments.study import Study
from hirescam.models.files import Model
from hirescam.training.config import TrainConfig
from hirescam.training.prepared import OnProgress


@dataclass(frozen=True)
class Aim:
    """What a network is trained for; `masks` are the keys of a recipe that make its masks.

    Without a `weight`, the λ of the study.
    """

    mask_loss: str | None = None
    weight: float | None = None
    masks: Mapping[str, object] = field(default_factory=dict)

    def run_name(self, seed: int) -> str:
        """The name of its run."""
        weight = [] if self.weight is None else [f"{self.weight:.3g}"]
        masks = [key if value is True else str(value) for key, value in self.masks.items()]
        return "-".join(
            ["AxialNet", self.mask_loss or "class-further", *weight, *masks, str(seed)]
        )


CLASS, MASK = Aim(), Aim("published")


@dataclass(frozen=True, eq=False)
class AxialNet:
    """A trained network, what it did on scans of either split, and the folder that keeps it."""

    model: Model
    valid: Outcomes
    test: Outcomes
    folder: Path


def axialnet(
    chests: Study,
    aim: Aim,
    *,
    seed: int = 0,
    jobs: int,
    on_progress: OnProgress,
) -> AxialNet:
    """The network of this aim and seed: found if it was trained, else trained."""
    config = axialnet_config(chests, aim, seed=seed, jobs=jobs, on_progress=on_progress)
    folder = chests.runs / config.name
    model = trained(config, folder, on_progress)
    valid, test = outcomes_of(
        model, chests.cases, folder, chests.cache, jobs=jobs, on_progress=on_progress
    )
    return AxialNet(model, valid, test, folder)


def axialnet_config(
    chests: Study, aim: Aim, *, seed: int, jobs: int, on_progress: OnProgress
) -> TrainConfig:
    """How it is trained; the network that it goes on from, if any, is trained already."""
    first = chests.runs / f"AxialNet-class-{seed}"
    if not chests.of_paper:
        begin = chests.recipe(name=first.name, seed=seed, mask_loss=None, workers=jobs)
        trained(begin, first, on_progress)
    alone = chests.of_paper and aim.mask_loss is None
    weight = chests.mask_loss_weight if aim.weight is None else aim.weight
    return chests.recipe(
        **{
            "name": first.name if alone else aim.run_name(seed),
            "seed": seed,
            "mask_loss": aim.mask_loss,
            "mask_loss_weight": weight,
            "workers": jobs,
            **aim.masks,
            **chests.further(first),
        }
    )
