"""Gradients: how each target's score would change with the input, or with a layer.

They say what the score is sensitive to; times the value they say what it is made of, as far
as the network is linear there.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hirescam.methods.capture import Capture, capture
from hirescam.methods.place import seen_at
from hirescam.methods.targets import Targets


def saliency(
    network: nn.Module,
    x: Float[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
    absolute: bool = False,
    per_channel: bool = False,
) -> Float[Tensor, "batch target *space"]:
    """Gradient of each score at the input (or at `layer`), signed, summed over channels.

    `absolute` takes the largest absolute gradient of all channels instead, as the paper does.
    Simonyan et al., "Deep inside convolutional networks", arXiv:1312.6034.
    """
    seen = seen_at(network, x, layer)
    return gradients_of(seen, targets, absolute=absolute, per_channel=per_channel)


def input_times_gradient(
    network: nn.Module,
    x: Float[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
    per_channel: bool = False,
) -> Float[Tensor, "batch target *space"]:
    """Gradient of each score times the input, summed over channels: HiResCAM at the input.

    Shrikumar et al., "Not just a black box", arXiv:1605.01713.
    """
    return gradient_times_value(seen_at(network, x, layer), targets, per_channel=per_channel)


def gradient_times_activation(
    network: nn.Module,
    x: Float[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
    per_channel: bool = False,
) -> Float[Tensor, "batch target *space"]:
    """HiResCAM whose channels stay apart on request: (batch, target, channel, *space).

    Draelos and Carin, arXiv:2011.08891, equation 6 before its sum over features.
    """
    seen = capture(network, x, layer=layer)
    return gradient_times_value(seen, targets, per_channel=per_channel)


def gradient_times_value(
    seen: Capture, targets: Targets = "all", *, per_channel: bool = False
) -> Float[Tensor, "batch target *space"]:
    """Gradient times what was captured, channel by channel or summed."""
    value = seen.activation.detach()
    products = (gradient * value for gradient in seen.gradients(targets))
    maps = [each if per_channel else each.sum(dim=2) for each in products]
    return torch.cat(maps).transpose(0, 1)


def gradients_of(
    seen: Capture,
    targets: Targets = "all",
    *,
    absolute: bool = False,
    per_channel: bool = False,
) -> Float[Tensor, "batch target *space"]:
    """Gradients at what was captured: every channel, their sum, or the largest absolute one."""
    gradients = (each.abs() if absolute else each for each in seen.gradients(targets))
    if per_channel:
        maps = list(gradients)
    else:
        maps = [each.amax(dim=2) if absolute else each.sum(dim=2) for each in gradients]
    return torch.cat(maps).transpose(0, 1)
