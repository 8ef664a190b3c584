"""Weight randomisation: whether maps change when what the network learned is taken away.

A map that stays the same does not show what the network learned. Adebayo et al., "Sanity
checks for saliency maps", NeurIPS 2018.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hirescam.metrics.agreement import spearman
from hirescam.metrics.consistency import Alike

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
