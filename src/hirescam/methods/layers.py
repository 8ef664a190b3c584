"""Layers: which part of a network is explained."""

from contextlib import ExitStack
from difflib import get_close_matches

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hirescam.errors import LayerError
from hirescam.methods.state import evaluating, hooked


def find_layer(
    network: nn.Module, x: Float[Tensor, "batch ..."], layer: nn.Module | str | None
) -> nn.Module:
    """A module as given, or by its dotted name, or the last one with spatial output.

    The last one is found by a forward pass, unless the network names its `explained_layer`.
    """
    names = {name: module for name, module in network.named_modules() if name}
    if layer is None:
        return getattr(network, "explained_layer", None) or _last_spatial(network, x)
    if isinstance(layer, str):
        if layer not in names:
            near = get_close_matches(layer, names, cutoff=0.4) or list(names)[-3:]
            raise LayerError(
                f"the network has no layer {layer!r}: did you mean {' or '.join(near)}?"
            )
        return names[layer]
    if layer not in names.values():
        raise LayerError(
            f"the {type(layer).__name__} given as layer is not part of the network: pass one "
            f"of its own modules or a dotted name such as {list(names)[-1]!r}"
        )
    return layer


def layer_name(network: nn.Module, layer: nn.Module) -> str:
    """Dotted name of `layer` in `network`."""
    return next(name for name, module in network.named_modules() if module is layer)


def _last_spatial(network: nn.Module, x: Float[Tensor, "batch ..."]) -> nn.Module:
    """The last direct or indirect part of the network that gives more than one place."""
    last: list[nn.Module] = []

    def note(module: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor) and output.ndim >= 3 and output[0, 0].numel() > 1:
            last[:] = [module]

    with torch.no_grad(), evaluating(network), ExitStack() as hooks:
        for name, module in network.named_modules():
            if name:
                hooks.enter_context(hooked(module, note))
        network(x)
    if not last:
        raise LayerError("no part of the network has spatial output: name the layer to explain")
    return last[0]
