"""Runs: models trained and evaluated once, and found again when an experiment is repeated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from hirescam.evaluation.localisation import chosen_thresholds, organ_values
from hirescam.evaluation.outcomes import Outcomes, evaluate
from hirescam.models.files import Model, load_model
from hirescam.training.config import TrainConfig
from hirescam.training.datasets.cases import Case
from hirescam.training.prepared import OnProgress
from hirescam.training.run_folder import BEST
from hirescam.training.train import train

DONE = "done"


@dataclass(frozen=True, eq=False)
class Judged:
    """What a trained model did on test scans; thresholds were chosen on validation scans."""

    test: Outcomes
    thresholds: Float[np.ndarray, "method label"]

    @classmethod
    def of(cls, valid: Outcomes, test: Outcomes) -> "Judged":
        """Outcomes of test scans at the thresholds of validation scans."""
        return cls(test, chosen_thresholds(valid))

    def organ_values(self, method: str) -> Float[np.ndarray, "scan label"]:
        """OrganIoU of each test scan and label."""
        return organ_values(self.test, method, self.thresholds)


def trained(config: TrainConfig, folder: Path, on_progress: OnProgress) -> Model:
    """The model of this config: from `folder` if its run was finished there, else trained."""
    if not (folder / DONE).exists():
        train(config, folder, resume=True, on_progress=on_progress)
        (folder / DONE).touch()
    return load_model(folder / BEST)


def outcomes_of(
    model: Model,
    cases: Mapping[str, Sequence[Case]],
    folder: Path,
    cache: Path,
    *,
    jobs: int,
    on_progress: OnProgress,
) -> tuple[Outcomes, Outcomes]:
    """Outcomes of validation and of test cases; they are kept in `folder`."""
    valid, test = (
        evaluate(
            model, cases[split], cache, keep=folder / split, jobs=jobs, on_progress=on_progress
        )
        for split in ("valid", "test")
    )
    return valid, test
