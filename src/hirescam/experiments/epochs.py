"""Epochs: a network as it was after each epoch of its training.

Training keeps the best weights and the last ones. It can be stopped and resumed after any
epoch, so here it is, after every one, and what the network does then is written down.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hirescam.evaluation.outcomes import Outcomes, evaluate, load_outcomes, save_outcomes
from hirescam.experiments.study import Study
from hirescam.models.files import Model, load_model
from hirescam.training.checkpoint import load_state
from hirescam.training.config import TrainConfig
from hirescam.training.prepared import OnProgress
from hirescam.training.run_folder import BEST, CHECKPOINT
from hirescam.training.train import train

SPLITS = ("valid", "test")


@dataclass(frozen=True, eq=False)
class Epoch:
    """What a network did on validation and on test scans after so many epochs."""

    number: int
    valid: Outcomes
    test: Outcomes


def epochs(
    config: TrainConfig, chests: Study, folder: Path, *, jobs: int, on_progress: OnProgress
) -> Iterator[Epoch]:
    """Each epoch of this training until it ends; what was done is not done again."""
    for number in range(1, config.epochs + 1):
        kept = {split: folder / f"epoch-{number}-{split}.npz" for split in SPLITS}
        if not all(path.exists() for path in kept.values()):
            train(
                config.model_copy(update={"epochs": number}),
                folder,
                resume=True,
                on_progress=on_progress,
            )
            model, trained = _as_it_stands(folder)
            if trained < number:  # patience has ended
                return
            for split, path in kept.items():
                outcomes = evaluate(
                    model, chests.cases[split], chests.cache, jobs=jobs, on_progress=on_progress
                )
                save_outcomes(outcomes, path)
        yield Epoch(number, *(load_outcomes(path) for path in kept.values()))


def _as_it_stands(folder: Path) -> tuple[Model, int]:
    """The model with its latest weights, and after how many epochs."""
    model, state = load_model(folder / BEST), load_state(folder / CHECKPOINT)
    model.network.load_state_dict(state["network"])
    return model, int(state["progress"]["epoch"])
