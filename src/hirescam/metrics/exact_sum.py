"""Exact sum: how much of a score its map leaves unexplained."""

from jaxtyping import Float
from torch import Tensor


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
