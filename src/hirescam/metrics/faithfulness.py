"""Faithfulness: whether the score moves as a map says: deletion, insertion, occlusion, sums."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import interpolate

from hirescam.errors import TargetError
from hirescam.metrics.similarity import correlation

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
    n_steps: int = 20,
    images_at_once: int = 16,
) -> Curve:
    """Scores of `x` as its places are set to `fill`, highest in the map first.

    A low area speaks for the map. There is one map per score, in the same order; a coarser map
    is upsampled over `x`, each cell a block. NaN where a map is the same everywhere.
    """
    return _curve(score, x, torch.as_tensor(fill).to(x), maps, x, n_steps, images_at_once)


def insertion(
    score: Score,
    x: Float[Tensor, "batch channel *space"],
    maps: Float[Tensor, "batch target *cells"],
    *,
    fill: float | Float[Tensor, "#batch #channel *#space"] = 0.0,
    n_steps: int = 20,
    images_at_once: int = 16,
) -> Curve:
    """Scores of an empty image as places of `x` are put in, highest in the map first.

    A high area speaks for the map. Otherwise as `deletion`.
    """
    return _curve(score, torch.as_tensor(fill).to(x), x, maps, x, n_steps, images_at_once)


def _curve(
    score: Score,
    start: Tensor,
    end: Tensor,
    maps: Tensor,
    x: Tensor,
    n_steps: int,
    images_at_once: int,
) -> Curve:
    """Scores on the way from `start` to `end`."""
    batch, targets = maps.shape[:2]
    shares = torch.linspace(0, 1, n_steps + 1, device=x.device)
    places = x[0, 0].numel()
    counts = (shares * places).round().long()
    position = _positions(maps.to(x.device), tuple(x.shape[2:]))
    start, end = start.expand_as(x), end.expand_as(x)
    scores = torch.empty(n_steps + 1, batch, targets, device=x.device)
    jobs = torch.cartesian_prod(
        torch.arange(n_steps + 1), torch.arange(batch), torch.arange(targets)
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
    upsampled = interpolate(maps.detach().float(), space, mode="nearest-exact")
    order = upsampled.flatten(2).argsort(dim=2, descending=True, stable=True)
    return order.argsort(dim=2).reshape(upsampled.shape)


def occlusion_agreement(
    maps: Float[Tensor, "batch target *cells"],
    cells: Bool[Tensor, "part *cells"],
    drops: Float[Tensor, "batch target part"],
) -> Float[Tensor, "batch target"]:
    """Correlation over parts of the map's mass in each and what hiding it costs.

    `cells` are the parts on the map's grid, `drops` how far each score falls without each part
    of the input, as `methods.occlude_masks` gives them. NaN where all parts hold or cost the
    same, as with a single one.
    """
    return correlation(mass_in_parts(maps, cells), drops)


def mass_in_parts(
    maps: Float[Tensor, "batch target *cells"], parts: Bool[Tensor, "part *cells"]
) -> Float[Tensor, "batch target part"]:
    """Sum of the signed map over each part."""
    return maps.detach().double().flatten(2) @ parts.to(maps.device).flatten(1).double().T


def blocks(space: tuple[int, ...], side: int) -> Bool[Tensor, "part *space"]:
    """Parts that tile a grid, in reading order: cubes of `side` places, less at far ends."""
    number = torch.zeros(space, dtype=torch.long)
    for axis, size in enumerate(space):
        along = torch.arange(size) // side
        shape = [1] * len(space)
        shape[axis] = size
        number = number * (int(along.max()) + 1) + along.reshape(shape)
    return torch.stack([number == part for part in range(int(number.max()) + 1)])


def exact_sum_residual(
    maps: Float[Tensor, "batch target *space"],
    scores: Float[Tensor, "batch target"],
    offsets: Float[Tensor, "#batch target"],
) -> Float[Tensor, "batch target"]:
    """|score − offset − sum of the map|, as a share of all that the two sides hold.

    0: the map accounts for the whole score. 1: it says nothing about it, or the opposite. NaN
    where map and evidence are both zero. The offset is the score of an all-zero layer; in a
    network that ends in one linear layer it is that layer's bias. One small residual is a
    fact about one input; an audit is about the network.
    """
    evidence = scores.detach().cpu().double() - offsets.detach().cpu().double()
    values = maps.detach().cpu().double().flatten(2)
    unexplained = (evidence - values.sum(dim=2)).abs()
    return unexplained / (evidence.abs() + values.abs().sum(dim=2))
