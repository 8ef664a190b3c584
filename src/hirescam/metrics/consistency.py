"""Consistency: how alike the maps of several runs are.

Runs of one architecture trained from different seeds give the *repeatability* of a method,
runs of different architectures its *reproducibility*: Arun et al., "Assessing the
trustworthiness of saliency maps for localizing abnormalities in medical imaging", Radiology:
Artificial Intelligence 3(6), 2021. Runs of one network tell how far a random method agrees
with itself.
"""

from collections.abc import Callable, Iterable
from itertools import combinations

import torch
from jaxtyping import Float
from torch import Tensor

from hirescam.errors import ShapeError
from hirescam.metrics.agreement import ssim

Alike = Callable[[Tensor, Tensor], Tensor]
"""Two maps (batch, target, *space) to their likeness (batch, target): `ssim` or `spearman`."""


def consistency(
    runs: Iterable[Float[Tensor, "batch target *space"]], *, alike: Alike = ssim
) -> Float[Tensor, "batch target"]:
    """Mean likeness over all pairs of two or more runs; NaN where one pair's is.

    Raises `ShapeError` for a single run, which has nothing to be alike to.
    """
    pairs = [alike(first, second) for first, second in combinations(runs, 2)]
    if not pairs:
        raise ShapeError("consistency needs the maps of at least two runs: give more")
    return torch.stack(pairs).mean(dim=0)
