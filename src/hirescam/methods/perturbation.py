"""Perturbation: how far scores fall when places of the input or channels are hidden.

Occlusion, Score-CAM and Ablation-CAM need no gradient; each hidden part costs a run.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from math import ceil
from types import EllipsisType
from typing import Literal

import torch
from einops import einsum
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from hirescam.errors import ShapeError
from hirescam.methods._engine import capture, capture_at, scores_with, upsampled
from hirescam.methods.targets import Targets

Fill = float | Literal["mean", "blur"]
"""What hidden places hold: a number, each channel's mean, or the image blurred."""

Block = tuple[slice | EllipsisType, ...]


def occlusion(
    network: nn.Module,
    x: Float[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
    size: int | Sequence[int] | None = None,
    stride: int | Sequence[int] | None = None,
    fill: Fill = 0.0,
) -> Float[Tensor, "batch target *space"]:
    """Map of how far each score falls when a block around a place is hidden.

    Blocks of `size` (an eighth of each axis unless given) step by `stride` (their size unless
    given); the last one ends at the edge. Places in several blocks get the blocks' average.
    Hides the output of `layer` instead of the input where one is named.
    """
    seen = capture_at(network, x, layer)
    value = seen.activation.detach()
    space = value.shape[2:]
    sizes = _per_axis(size, [ceil(length / 8) for length in space])
    blocks = list(_blocks(space, sizes, _per_axis(stride, sizes)))
    filled = _filled(value, fill)

    def hidden() -> Iterator[Tensor]:
        for block in blocks:
            changed = value.clone()
            changed[block] = filled[block]
            yield changed

    pick = seen.pick(targets)
    drops = pick(seen.scores.detach()) - scores_with(
        hidden(), pick, network, x, layer, unchanged=(value, seen.scores)
    )
    total = drops.new_zeros(*drops.shape[1:], *space)
    times = drops.new_zeros(space)
    for block, drop in zip(blocks, drops, strict=True):
        total[block] += drop.view(*drop.shape, *[1] * len(space))
        times[block] += 1
    return total / times


def occlude_masks(
    network: nn.Module,
    x: Float[Tensor, "batch ..."],
    masks: Bool[Tensor, "mask *space"],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
    fill: Fill = 0.0,
) -> Float[Tensor, "batch target mask"]:
    """How far each score falls when all of a mask, such as an organ, is hidden at once."""
    seen = capture_at(network, x, layer)
    value = seen.activation.detach()
    if masks.shape[1:] != value.shape[2:]:
        raise ShapeError(
            f"masks have the space {tuple(masks.shape[1:])}, what they shall hide has "
            f"{tuple(value.shape[2:])}: bring them onto that grid first"
        )
    filled = _filled(value, fill)
    hidden = (torch.where(mask, filled, value) for mask in masks)
    pick = seen.pick(targets)
    drops = pick(seen.scores.detach()) - scores_with(
        hidden, pick, network, x, layer, unchanged=(value, seen.scores)
    )
    return drops.movedim(0, -1)


def _per_axis(given: int | Sequence[int] | None, default: Sequence[int]) -> list[int]:
    if given is None:
        return list(default)
    return [given] * len(default) if isinstance(given, int) else list(given)


def _blocks(
    space: Sequence[int], sizes: Sequence[int], strides: Sequence[int]
) -> Iterator[Block]:
    """Where each block lies on the axes of space, the last."""
    if not len(space) == len(sizes) == len(strides) or min(*sizes, *strides) < 1:
        raise ShapeError(
            f"blocks of size {list(sizes)} and stride {list(strides)} do not suit a space of "
            f"{tuple(space)}: give one positive number, or one per axis"
        )
    axes = []
    for length, size, stride in zip(space, sizes, strides, strict=True):
        last = max(length - size, 0)
        starts = [*range(0, last, stride), last]
        axes.append([slice(start, start + size) for start in starts])
    for block in product(*axes):
        yield ..., *block


def _filled(value: Tensor, fill: Fill) -> Tensor:
    if isinstance(fill, str):
        return FILLS[fill](value)
    return torch.full_like(value, fill)


def _mean(value: Tensor) -> Tensor:
    return value.mean(dim=tuple(range(2, value.ndim)), keepdim=True).expand_as(value)


def _blurred(value: Tensor) -> Tensor:
    """Averaged over a quarter of each axis, one axis after the other."""
    for axis in range(2, value.ndim):
        lines = value.movedim(axis, -1)
        reach = ceil(lines.shape[-1] / 8)
        line = F.avg_pool1d(
            lines.reshape(-1, 1, lines.shape[-1]),
            2 * reach + 1,
            stride=1,
            padding=reach,
            count_include_pad=False,
        )
        value = line.view(lines.shape).movedim(-1, axis)
    return value


FILLS: dict[str, Callable[[Tensor], Tensor]] = {"mean": _mean, "blur": _blurred}


def scorecam(
    network: nn.Module,
    x: Float[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
    budget: int | None = 64,
) -> Float[Tensor, "batch target *space"]:
    """Map of `layer` whose channels weigh as much as the input that they let through scores.

    The weights of a target are the softmax over channels of its scores for x times each
    channel, upsampled over x and scaled to 0…1: all positive, so what lowers a score is not
    told apart. Wang et al., "Score-CAM", CVPR workshops 2020, arXiv:1910.01279.
    """
    seen = capture(network, x, layer=layer)
    activation = seen.activation.detach()
    strongest = _strongest(activation, budget)
    kept = _picked(activation, strongest)

    def let_through() -> Iterator[Tensor]:
        for channel in torch.split(kept, 1, dim=1):
            yield x.detach() * _scaled(upsampled(channel, x, network))

    pick = seen.pick(targets)
    scores = scores_with(let_through(), pick, network, x, unchanged=(x, seen.scores))
    return einsum(scores.softmax(dim=0), kept, "c b t, b c ... -> b t ...")


def ablationcam(
    network: nn.Module,
    x: Float[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
    budget: int | None = 64,
) -> Float[Tensor, "batch target *space"]:
    """Map of `layer` whose channels weigh as much as the score falls without them.

    The paper divides this fall by the score; left out here, as a score may be 0 or negative.
    Desai and Ramaswamy, "Ablation-CAM", WACV 2020, equation 5.
    """
    seen = capture(network, x, layer=layer)
    activation = seen.activation.detach()
    strongest = _strongest(activation, budget)
    every = torch.arange(activation.shape[1], device=activation.device)

    def without() -> Iterator[Tensor]:
        for channel in torch.split(strongest, 1, dim=1):
            off = (every == channel).view(*activation.shape[:2], *[1] * (activation.ndim - 2))
            yield activation.masked_fill(off, 0)

    pick = seen.pick(targets)
    falls = pick(seen.scores.detach()) - scores_with(
        without(), pick, network, x, seen.layer, unchanged=(activation, seen.scores)
    )
    kept = _picked(activation, strongest)
    return einsum(falls, kept, "c b t, b c ... -> b t ...")


def _strongest(
    activation: Float[Tensor, "batch channel *space"], budget: int | None
) -> Int[Tensor, "batch kept"]:
    energy = activation.flatten(2).square().sum(dim=2)
    count = energy.shape[1]
    return energy.topk(count if budget is None else min(budget, count), dim=1).indices


def _picked(
    activation: Float[Tensor, "batch channel *space"], channels: Int[Tensor, "batch kept"]
) -> Float[Tensor, "batch kept *space"]:
    images = torch.arange(len(activation), device=activation.device)[:, None]
    return activation[images, channels]


def _scaled(channel: Float[Tensor, "batch 1 *space"]) -> Float[Tensor, "batch 1 *space"]:
    """From 0 to 1 in each image; all 0 where it is the same everywhere."""
    flat = channel.flatten(1)
    low, high = flat.amin(dim=1), flat.amax(dim=1)
    span = torch.where(high > low, high - low, 1)
    scaled = (flat - low[:, None]) / span[:, None]
    return scaled.view(channel.shape)
