"""Replay: the part of a network above a layer, run on activations of one's own.

Below the layer the network sees noise. So scores come from the activations alone, unless a path
leads around the layer: then even the captured activation gives other scores than it gave.
"""

from collections.abc import Callable
from contextlib import nullcontext

import torch
from jaxtyping import Float, Num
from torch import Tensor

from hirescam.methods.capture import Capture
from hirescam.methods.dataflow import DataFlow
from hirescam.methods.state import borrowed, eager_around, watched

Score = Callable[[Float[Tensor, "row channel *space"]], Float[Tensor, "row label"]]
"""The part of a network above a layer: any number of activations to their scores."""


def replay(seen: Capture, x: Num[Tensor, "batch ..."], flow: DataFlow | None = None) -> Score:
    """Scores of whole batches of activations, by one run of the network where it lets us.

    `flow` is told in the first run whether scores depend on the input around the layer.

    The first batch must be the captured one, so that its scores are known. A network that gives
    others, or fails, insists on the batch size of `x`: it runs once per batch.
    """
    stranger = noise_like(x)

    def score(activations: Tensor) -> Tensor:
        following = flow is not None and not flow.complete
        with (
            torch.no_grad(),
            borrowed(seen.network),
            eager_around(seen.network, seen.layer),
            watched(seen.layer, lambda *_: activations.clone()),
            flow.from_input(stranger) if flow is not None and following else nullcontext(),
        ):
            scores = seen.network(stranger)
        if flow is not None and following:
            flow.arrived(scores)
        return scores

    def score_any(activations: Tensor) -> Tensor:
        try:
            together = score(activations)
            if len(together) == len(activations) and _same(together[: len(x)], seen.scores):
                return together
        except (RuntimeError, TypeError, ValueError, AssertionError, IndexError):
            pass
        return torch.cat([score(part) for part in torch.split(activations, len(x))])

    return score_any


def noise_like(x: Num[Tensor, "batch ..."]) -> Num[Tensor, "batch ..."]:
    """Another input of the same shape and kind, with even noise over the same values."""
    random = torch.Generator().manual_seed(0)
    low, high = (end.float() for end in x.detach().aminmax())
    noise = torch.rand(x.shape, generator=random).to(x.device)
    span = torch.where(high > low, high - low, 1) + (not x.is_floating_point())
    return (low + noise * span).to(x.dtype)


def _same(found: Tensor, expected: Tensor) -> bool:
    size = expected.detach().float().abs().max()
    rounding = max(1e-4, 4 * torch.finfo(expected.dtype).eps)
    return bool((found.float() - expected.float()).abs().max() <= rounding * size + 1e-6)
