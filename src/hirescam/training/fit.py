"""Fit: a network to scans and labels, one scan a step, as the paper trains.

A plain loop for small models such as the demo's.
"""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

Scan = tuple[Float[Tensor, "slice channel row column"], Float[Tensor, "label"]]


@runtime_checkable
class Scans(Protocol):
    """Inputs with their labels, by number."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Scan: ...


def fit(
    network: nn.Module,
    scans: Scans,
    *,
    epochs: int,
    learning_rate: float,
    seed: int,
    on_step: Callable[[int, int], None] = lambda done, of: None,
) -> list[float]:
    """Train `network` in place; the mean loss of each epoch comes back.

    Binary cross-entropy over the labels, AdamW, one-cycle learning rate, a batch of one scan.
    """
    random = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=1e-4)
    steps = epochs * len(scans)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=learning_rate, total_steps=steps
    )
    network.train()
    losses = []
    for epoch in range(epochs):
        total = 0.0
        for step, index in enumerate(torch.randperm(len(scans), generator=random).tolist()):
            x, labels = scans[index]
            loss = F.binary_cross_entropy_with_logits(network(x[None]), labels[None])
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimiser.step()
            schedule.step()
            total += loss.item()
            on_step(epoch * len(scans) + step + 1, steps)
        losses.append(total / len(scans))
    network.eval()
    return losses
