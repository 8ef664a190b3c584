"""Replay: the part of a network above a layer, run on activations of one's own."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Num
from torch import Tensor

from hirescam.methods.capture import Capture
from hirescam.methods.state import borrowed, eager_around, watched

Score = Callable[[Float[Tensor, "row channel *space"]], Float[Tensor, "row label"]]
"""The part of a network above a layer: any number of activations to their scores."""


def replay(seen: Capture, x: Num[Tensor, "batch ..."]) -> Score:
    """Scores of whole batches of activations, by one run of the network where it lets us.

    The first batch must be the captured one, so that its scores are known. A network that gives
    others, or fails, insists on the batch size of `x`: it runs once per batch.
    """

    def score(activations: Tensor) -> Tensor:
        with (
            torch.no_grad(),
            borrowed(seen.network),
            eager_around(seen.network, seen.layer),
            watched(seen.layer, lambda *_: activations.clone()),
        ):
            return seen.network(x.detach())

    def score_any(activations: Tensor) -> Tensor:
        try:
            together = score(activations)
            if len(together) == len(activations) and _same(together[: len(x)], seen.scores):
                return together
        except (RuntimeError, TypeError, ValueError, AssertionError, IndexError):
            pass
        return torch.cat([score(part) for part in torch.split(activations, len(x))])

    return score_any


def _same(found: Tensor, expected: Tensor) -> bool:
    size = expected.detach().float().abs().max()
    rounding = max(1e-4, 4 * torch.finfo(expected.dtype).eps)
    return bool((found.float() - expected.float()).abs().max() <= rounding * size + 1e-6)
