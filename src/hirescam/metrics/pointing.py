"""Pointing: how well a map finds a region, by its peak, its mass or its ranks.

Against regions that people drew, these measure the network and the map at once; they judge
the map alone only where one knows what the network used. Places of one value share what they
have to give, so a map without any order scores as chance does.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def pointing_game(
    maps: Float[Tensor, "batch target *space"], regions: Bool[Tensor, "batch target *space"]
) -> Float[Tensor, "batch target"]:
    """1 where the map's highest value lies in the region, else 0; NaN where that is empty.

    Several highest values count by their share. Zhang et al., "Top-down neural attention by
    excitation backprop", IJCV 2018.
    """
    values, inside = maps.detach().flatten(2), regions.flatten(2)
    peak = values == values.amax(dim=2, keepdim=True)
    hits = (peak & inside).sum(dim=2) / peak.sum(dim=2)
    return _where_any(inside, hits)


def mass_accuracy(
    maps: Float[Tensor, "batch target *space"], regions: Bool[Tensor, "batch target *space"]
) -> Float[Tensor, "batch target"]:
    """Share of the map's positive mass that lies in the region; NaN where there is none.

    Arras et al., "CLEVR-XAI: a benchmark dataset for the ground truth evaluation of neural
    network explanations", Information Fusion 81, 2022, equation 1.
    """
    mass, inside = maps.detach().double().clamp(min=0).flatten(2), regions.flatten(2)
    return _where_any(inside, (mass * inside).sum(dim=2) / mass.sum(dim=2))


def rank_accuracy(
    maps: Float[Tensor, "batch target *space"], regions: Bool[Tensor, "batch target *space"]
) -> Float[Tensor, "batch target"]:
    """Of the highest values, as many as the region has places: the share that lies in it.

    NaN where the region is empty. Arras et al. 2022, equation 2.
    """
    values, inside = maps.detach().flatten(2), regions.flatten(2)
    wanted = inside.sum(dim=2)
    last = values.sort(dim=2, descending=True).values
    last = last.gather(2, (wanted - 1).clamp(min=0)[..., None])
    above, tied = values > last, values == last
    share = (wanted - above.sum(dim=2)) / tied.sum(dim=2)
    found = (above & inside).sum(dim=2) + share * (tied & inside).sum(dim=2)
    return _where_any(inside, found / wanted)


def _where_any(
    inside: Bool[Tensor, "batch target place"], found: Float[Tensor, "batch target"]
) -> Float[Tensor, "batch target"]:
    return torch.where(inside.any(dim=2), found, torch.nan)
