"""Layers: which part of a network is explained."""

from contextlib import ExitStack
from copy import deepcopy
from difflib import get_close_matches
from functools import partial

import torch
from jaxtyping import Num
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from hirescam.errors import LayerError, ShapeError
from hirescam.methods.state import (
    borrowed,
    eager,
    hooked,
    refuse_torchscript,
    unwrapped,
)


def find_layer(
    network: nn.Module, x: Num[Tensor, "batch ..."], layer: nn.Module | str | None = None
) -> nn.Module:
    """A module as given, or by its dotted name, or the last one with spatial output.

    The last one is found by passing shapes through the network, no numbers, or where that is
    not possible by a forward pass; a network may also name its `explained_layer` itself.
    """
    network = unwrapped(network)
    _refuse_what_has_no_maps(network, x)
    if layer is None:
        own = getattr(network, "explained_layer", None)
        return own if isinstance(own, nn.Module) else _last_spatial(network, x)
    for name, module in network.named_modules():
        if name and (
            module is layer or (isinstance(layer, str) and _plain(name) == _plain(layer))
        ):
            return module
    names = [_plain(name) for name, _ in network.named_modules() if name]
    if isinstance(layer, str):
        near = get_close_matches(layer, names, cutoff=0.4) or names[-3:]
        raise LayerError(
            f"the network has no layer {layer!r}: did you mean {' or '.join(near)}?"
        )
    raise LayerError(
        f"the {type(layer).__name__} given as layer is not part of the network: pass one "
        f"of its own modules or a dotted name such as {names[-1] if names else ''!r}"
    )


def layer_name(network: nn.Module, layer: nn.Module) -> str:
    """Dotted name of `layer` in `network`, without the wrappers of torch.compile."""
    return next(
        _plain(name) for name, module in unwrapped(network).named_modules() if module is layer
    )


def channels_come_last(layer: nn.Module, output: Tensor) -> bool:
    """Whether features lie along the last axis, as tokens have them, and not the second."""
    parts = [*layer.modules()]
    features = [getattr(part, "out_features", None) for part in parts]
    normed = [getattr(part, "normalized_shape", [None])[-1] for part in parts]
    channels = [getattr(part, "out_channels", None) for part in parts]
    second, last = output.shape[1], output.shape[-1]
    return last in features + normed and second not in features + normed + channels


def _refuse_what_has_no_maps(network: nn.Module, x: Num[Tensor, "batch ..."]) -> None:
    refuse_torchscript(network)
    if any(not is_lazy(weight) and weight.is_inference() for weight in network.parameters()):
        raise LayerError(
            "the network's weights were made under torch.inference_mode and have no gradients: "
            "build or load it outside"
        )
    if not x.numel():
        raise ShapeError(
            f"an input of shape {tuple(x.shape)} holds nothing to explain: give an image"
        )


def _plain(name: str) -> str:
    """A dotted name without what `torch.compile` and DataParallel put into it."""
    parts = name.removeprefix("module.").split(".")
    return ".".join(part for part in parts if part != "_orig_mod")


def _last_spatial(network: nn.Module, x: Num[Tensor, "batch ..."]) -> nn.Module:
    """The last direct or indirect part of the network that gives more than one place."""
    try:
        found = _last_called(_skeleton(network), x.to("meta"))
    except Exception:  # any network may do in its forward what shapes alone cannot
        found = _last_called(network, x[:1])
    if not found:
        raise LayerError("no part of the network has spatial output: name the layer to explain")
    return network.get_submodule(found)


def _skeleton(network: nn.Module) -> nn.Module:
    """A copy of the network with shapes for weights and without anyone's hooks."""
    weights = [*network.parameters(), *network.buffers()]
    shapes = {id(weight): weight.detach().to("meta") for weight in weights}
    for parameter in network.parameters():
        shapes[id(parameter)] = nn.Parameter(shapes[id(parameter)], requires_grad=False)
    copy = deepcopy(network, shapes)
    for module in copy.modules():
        module._forward_hooks.clear()
        module._forward_pre_hooks.clear()
    return copy


def _last_called(network: nn.Module, x: Num[Tensor, "batch ..."]) -> str:
    """Name of the last module that ran once and gave more than one place; "" if none did."""
    ran: list[str] = []
    spatial: list[str] = []

    def note(name: str, _module: nn.Module, _inputs: object, output: object) -> None:
        ran.append(name)
        if isinstance(output, Tensor) and output.ndim >= 3 and output[0, 0].numel() > 1:
            spatial.append(name)

    with torch.no_grad(), borrowed(network), eager(network), ExitStack() as hooks:
        for name, module in network.named_modules():
            if name:
                hooks.enter_context(hooked(module, partial(note, name)))
        network(x)
    return next((name for name in reversed(spatial) if ran.count(name) == 1), "")
