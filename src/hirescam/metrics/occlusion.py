"""Occlusion agreement: whether hiding a part costs what the map says is there.

The parts may be blocks, organs, or any other masks.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hirescam.metrics.agreement import correlation


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
