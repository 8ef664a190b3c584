"""Fit: a recipe, and a network trained by it on photographs from wherever its run stands.

On a CPU the same recipe and data give the same weights, whether the run was interrupted or not.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from hirescam.images.measure import Evaluator
from hirescam.images.networks import TwoParts
from hirescam.images.parts import PhotographInputs
from hirescam.training.checkpoint import load_state, save_state
from hirescam.training.losses import MASK_LOSS_WEIGHT, MASK_LOSSES, classification_loss
from hirescam.training.modes import deterministic

SIDE_IN_PAPER = 320
"""Pixels of the resized photographs."""


@dataclass(frozen=True)
class Recipe:
    """The defaults are the paper's: SGD of high momentum, until validation stops improving."""

    batch: int = 64
    epochs: int = 100
    patience: int = 15
    """Epochs in a row without a lower validation loss after which training ends."""
    optimiser: str = "sgd"
    learning_rate: float = 1e-3
    weight_decay: float = 1e-7
    mask_loss: str | None = None
    """A name in `hirescam.training.losses.MASK_LOSSES`."""
    mask_loss_weight: float = MASK_LOSS_WEIGHT
    seed: int = 0

    def new_optimiser(self, network: nn.Module) -> torch.optim.Optimizer:
        """The optimiser of all parameters of `network`."""
        return OPTIMISERS[self.optimiser](
            network.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay
        )


OPTIMISERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": partial(torch.optim.SGD, momentum=0.99),
    "adamw": torch.optim.AdamW,
}

PAPER = Recipe()
FROZEN_TRUNK = Recipe(
    batch=32, epochs=12, optimiser="adamw", learning_rate=3e-3, weight_decay=1e-2
)
"""For one layer on the averaged features of a few hundred photographs."""


STATE, BEST = "state.safetensors", "best.safetensors"


@dataclass(frozen=True, eq=False)
class History:
    """What became of a network, epoch by epoch; `best` has the lowest validation loss."""

    train_loss: Float[np.ndarray, "epoch"]
    valid_loss: Float[np.ndarray, "epoch"]
    scores: Float[np.ndarray, "epoch photograph label"]
    ious: Float[np.ndarray, "epoch method pair"]

    @property
    def best(self) -> int:
        """The epoch whose weights `fit` leaves in the network."""
        return int(self.valid_loss.argmin())


def fit(
    network: TwoParts,
    training: PhotographInputs,
    evaluate: Evaluator,
    truth: Float[Tensor, "photograph label"],
    recipe: Recipe,
    folder: Path,
    *,
    on_epoch: Callable[[int, int], None] = lambda done, of: None,
) -> History:
    """Train `network` in place and leave it with its best weights.

    `evaluate` scores the network on the validation photographs, whose labels are `truth`.
    A run that `folder` holds continues after its last complete epoch.
    """
    optimiser = recipe.new_optimiser(network)
    rows: list[dict[str, Tensor]] = []
    if (folder / STATE).exists():
        state = load_state(folder / STATE)
        rows = state["rows"]
        if state["unfinished"] is not None:
            network.load_state_dict(state["unfinished"]["network"])
            optimiser.load_state_dict(state["unfinished"]["optimiser"])
    with _repeatable(network), torch.random.fork_rng():
        while not _ended(rows, recipe):
            on_epoch(len(rows), recipe.epochs)
            loss = _train(network, training, optimiser, recipe, len(rows))
            network.eval()
            evaluated = evaluate(network)
            row = {
                "train_loss": torch.tensor(loss),
                "valid_loss": classification_loss(evaluated.scores, truth),
                "scores": evaluated.scores,
                "ious": evaluated.ious,
            }
            rows = [*rows, row]
            _keep(network, optimiser, rows, recipe, folder)
    on_epoch(len(rows), len(rows))
    network.load_state_dict(load_state(folder / BEST))
    network.eval()
    return History(**{name: np.stack([row[name].numpy() for row in rows]) for name in rows[0]})


def _repeatable(network: TwoParts) -> AbstractContextManager[None]:
    """Deterministic on a CPU; CUDA has no such gradient of VGG's adaptive pooling."""
    on_cpu = next(network.parameters()).device.type == "cpu"
    return deterministic(network) if on_cpu else nullcontext()


def _train(
    network: TwoParts,
    part: PhotographInputs,
    optimiser: torch.optim.Optimizer,
    recipe: Recipe,
    epoch: int,
) -> float:
    """One epoch; the mean loss of its steps."""
    torch.manual_seed(recipe.seed * 1_000_003 + epoch)
    order = torch.randperm(len(part.photographs))
    device = next(network.parameters()).device
    truth, losses = part.labels, []
    network.train()
    for x, chosen in zip(
        part.batches(order.tolist()), torch.split(order, recipe.batch), strict=True
    ):
        features = network.features(x.to(device))
        loss = classification_loss(network.above(features), truth[chosen].to(device))
        if recipe.mask_loss is not None and part.allowed is not None:
            penalty = MASK_LOSSES[recipe.mask_loss]
            allowed = part.allowed[chosen].to(device)
            one_slice = network.label_maps(features)[:, :, None], allowed[:, :, None]
            loss = loss + recipe.mask_loss_weight * penalty(*one_slice)
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimiser.step()
        losses.append(loss.item())
    return float(np.mean(losses))


def _ended(rows: list[dict[str, Tensor]], recipe: Recipe) -> bool:
    return len(rows) >= recipe.epochs or (
        len(rows) > 0 and len(rows) - 1 - _best(rows) >= recipe.patience
    )


def _best(rows: list[dict[str, Tensor]]) -> int:
    return int(torch.stack([row["valid_loss"] for row in rows]).argmin())


def _keep(
    network: TwoParts,
    optimiser: torch.optim.Optimizer,
    rows: list[dict[str, Tensor]],
    recipe: Recipe,
    folder: Path,
) -> None:
    """Write the best weights, then where the run stands; of an ended run, its rows alone."""
    if _best(rows) == len(rows) - 1:
        save_state(network.state_dict(), folder / BEST)
    unfinished = None
    if not _ended(rows, recipe):
        unfinished = {
            "network": network.state_dict(),
            "optimiser": optimiser.state_dict(),
        }
    save_state({"rows": rows, "unfinished": unfinished}, folder / STATE)
