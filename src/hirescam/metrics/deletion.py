"""Deletion and insertion: how fast a score falls, or rises, in the order that a map gives.

Petsiuk et al., "RISE: randomized input sampling for explanation of black-box models", BMVC
2018. Images half filled with one value are unlike any the network was trained on, so compare
curves of one network and one fill value only.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import interpolate

from hirescam.errors import TargetError

Score = Callable[[Float[Tensor, "image channel *space"]], Float[Tensor, "image target"]]
"""A network in evaluation mode, or any function from images to the scores that maps explain."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Scores after a growing share of the places, in the map's order, was changed."""

    shares: Float[Tensor, "step"]
    scores: Float[Tensor, "step batch target"]

    @property
    def area(self) -> Float[Tensor, "batch target"]:
        """Area under the curve: the mean score over shares from 0 to 1."""
        return torch.trapezoid(self.scores, self.shares, dim=0)


def deletion(
    score: Score,
    x: Float[Tensor, "batch channel *space"],
    maps: Float[Tensor, "batch target *cells"],
    *,
    fill: float | Float[Tensor, "#batch #channel *#space"] = 0.0,
    steps: int = 20,
    images_at_once: int = 16,
) -> Curve:
    """Scores of `x` as its places are set to `fill`, highest in the map first.

    A low area speaks for the map. There is one map per score, in the same order; a coarser map
    is stretched over `x`, each cell a block. NaN where a map is the same everywhere.
    """
    return _curve(score, x, torch.as_tensor(fill).to(x), maps, x, steps, images_at_once)


def insertion(
    score: Score,
    x: Float[Tensor, "batch channel *space"],
    maps: Float[Tensor, "batch target *cells"],
    *,
    fill: float | Float[Tensor, "#batch #channel *#space"] = 0.0,
    steps: int = 20,
    images_at_once: int = 16,
) -> Curve:
    """Scores of an empty image as places of `x` are put in, highest in the map first.

    A high area speaks for the map. Otherwise as `deletion`.
    """
    return _curve(score, torch.as_tensor(fill).to(x), x, maps, x, steps, images_at_once)


def _curve(
    score: Score,
    start: Tensor,
    end: Tensor,
    maps: Tensor,
    x: Tensor,
    steps: int,
    images_at_once: int,
) -> Curve:
    """Scores on the way from `start` to `end`."""
    batch, targets = maps.shape[:2]
    shares = torch.linspace(0, 1, steps + 1, device=x.device)
    places = x[0, 0].numel()
    counts = (shares * places).round().long()
    position = _positions(maps.to(x.device), tuple(x.shape[2:]))
    start, end = start.expand_as(x), end.expand_as(x)
    scores = torch.empty(steps + 1, batch, targets, device=x.device)
    jobs = torch.cartesian_prod(
        torch.arange(steps + 1), torch.arange(batch), torch.arange(targets)
    )
    for step, image, target in (some.T for some in torch.split(jobs, images_at_once)):
        limit = counts[step.to(x.device)].reshape(-1, *[1] * (x.ndim - 1))
        changed = position[image, target][:, None] < limit
        with torch.no_grad():
            all_scores = score(torch.where(changed, end[image], start[image]))
        if all_scores.shape[1] != targets:
            raise TargetError(
                f"there are maps of {targets} targets but {all_scores.shape[1]} scores: "
                f"pass a function that returns the scores of these targets, in this order"
            )
        scores[step, image, target] = all_scores[torch.arange(len(target)), target].to(scores)
    ordered = (maps.flatten(2).amax(dim=2) > maps.flatten(2).amin(dim=2)).to(x.device)
    return Curve(shares, torch.where(ordered, scores, torch.nan))


def _positions(
    maps: Float[Tensor, "batch target *cells"], space: tuple[int, ...]
) -> Int[Tensor, "batch target *space"]:
    """When each place's turn comes, from 0; places of one value go in reading order."""
    stretched = interpolate(maps.detach().float(), space, mode="nearest-exact")
    order = stretched.flatten(2).argsort(dim=2, descending=True, stable=True)
    return order.argsort(dim=2).reshape(stretched.shape)
