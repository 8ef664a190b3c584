"""Recipe: how a network is trained on photographs."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from hirescam.training.losses import MASK_LOSS_WEIGHT

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
