"""Similarity: how alike maps are: by rank, by structure, between runs, after randomisation."""

from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import combinations
from typing import Literal

import torch
from jaxtyping import Float
from scipy.ndimage import gaussian_filter
from scipy.stats import rankdata
from torch import Tensor, nn

from hirescam.errors import ShapeError


def spearman(
    first: Float[Tensor, "batch target *space"], second: Float[Tensor, "batch target *space"]
) -> Float[Tensor, "batch target"]:
    """Rank correlation over places: 1 same order, 0 unrelated, −1 reversed; ties share ranks.

    NaN where a map is the same everywhere or holds NaN.
    """
    return correlation(_ranks(first), _ranks(second))


def ssim(
    first: Float[Tensor, "batch target *space"],
    second: Float[Tensor, "batch target *space"],
    *,
    sigma_cells: float = 1.5,
) -> Float[Tensor, "batch target"]:
    """Mean structural similarity over places, for any number of axes: 1 where maps are alike.

    Maps are compared as patterns: each is scaled by its largest absolute value and shifted to
    0…1, so that zero is mid-grey and a reversed sign counts as unlike. Windows are Gaussian and
    mirrored at the border. NaN where a map is zero everywhere or holds NaN.
    Wang et al., IEEE TIP 13(4), 2004, equation 13.
    """
    a, b = _pattern(first), _pattern(second)
    mean_a, mean_b = _smooth(a, sigma_cells), _smooth(b, sigma_cells)
    variances = _smooth(a * a + b * b, sigma_cells) - mean_a**2 - mean_b**2
    covariance = _smooth(a * b, sigma_cells) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + 0.01**2) / (mean_a**2 + mean_b**2 + 0.01**2)
    structure = (2 * covariance + 0.03**2) / (variances + 0.03**2)
    return (luminance * structure).flatten(2).mean(dim=2)


def correlation(
    first: Float[Tensor, "*many value"], second: Float[Tensor, "*many value"]
) -> Float[Tensor, "*many"]:
    """Pearson's correlation along the last axis; NaN where either side is constant."""
    a, b = first.detach().cpu().double(), second.detach().cpu().double()
    vary = (a.amax(-1) > a.amin(-1)) & (b.amax(-1) > b.amin(-1))
    a, b = a - a.mean(-1, keepdim=True), b - b.mean(-1, keepdim=True)
    found = (a * b).sum(-1) / (a.norm(dim=-1) * b.norm(dim=-1))
    return torch.where(vary, found, torch.nan)


def _ranks(
    maps: Float[Tensor, "batch target *space"],
) -> Float[Tensor, "batch target place"]:
    return torch.from_numpy(rankdata(maps.detach().cpu().double().flatten(2), axis=-1))


def _pattern(
    maps: Float[Tensor, "batch target *space"],
) -> Float[Tensor, "batch target *space"]:
    """Values from 0 to 1, where zero was now 0.5, in double precision on the CPU."""
    values = maps.detach().cpu().double()
    largest = values.abs().amax(dim=tuple(range(2, values.ndim)), keepdim=True)
    return (values / largest + 1) / 2


def _smooth(
    values: Float[Tensor, "batch target *space"], sigma_cells: float
) -> Float[Tensor, "batch target *space"]:
    space = tuple(range(2, values.ndim))
    return torch.from_numpy(gaussian_filter(values.numpy(), sigma_cells, axes=space))


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


Explain = Callable[[nn.Module], Tensor]
"""A network to its maps (batch, target, *space); layers by dotted name, not by module."""

Order = Literal["cascading", "independent"]


def weight_randomisation(
    network: nn.Module,
    explain: Explain,
    *,
    order: Order = "cascading",
    alike: Alike = spearman,
    seed: int = 0,
) -> dict[str, Float[Tensor, "batch target"]]:
    """How alike the maps stay to the true ones, by layer randomised, from the top down.

    Cascading, all layers above are random too; independent, that layer alone is. The top is
    the layer registered last. Each parameter is drawn anew from a normal distribution of the
    same root mean square. A copy is randomised: the network and global seeds stay untouched.
    """
    random = torch.Generator().manual_seed(seed)
    true_maps = explain(network)
    subject = deepcopy(network)
    found = {}
    for name, layer in reversed(learned_layers(subject).items()):
        learned = deepcopy(layer.state_dict())
        _randomise(layer, random)
        found[name] = alike(true_maps, explain(subject))
        if order == "independent":
            layer.load_state_dict(learned)
    return found


def learned_layers(network: nn.Module) -> dict[str, nn.Module]:
    """Modules that hold parameters of their own, by dotted name, in registration order."""
    return {
        name: module
        for name, module in network.named_modules()
        if any(True for _ in module.parameters(recurse=False))
    }


def _randomise(layer: nn.Module, random: torch.Generator) -> None:
    with torch.no_grad():
        for parameter in layer.parameters(recurse=False):
            noise = torch.randn(parameter.shape, generator=random)
            parameter.copy_(noise.to(parameter) * parameter.square().mean().sqrt())
