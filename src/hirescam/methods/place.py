"""Place: where in a network a map lies, the input unless a layer is named."""

import dataclasses
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, Num
from torch import Tensor, nn

from hirescam.methods.capture import Capture, capture
from hirescam.methods.layers import find_layer
from hirescam.methods.state import borrowed, eager_around, hooked, unwrapped
from hirescam.methods.targets import Pick, Targets, label_names

CHANGED_BYTES = 16 * 2**20
"""How much changed inputs or activations run through the network at a time."""

WIDEST_BYTES = 256 * 2**20
"""How much memory the gradients of a group of targets may take where they are largest."""


class FromInput(nn.Module):
    """A network whose input is a layer too, so that a map can lie there."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.input = nn.Identity()
        self.network = network
        self.labels = label_names(network)

    def forward(self, x: Num[Tensor, "batch ..."]) -> object:
        return self.network(self.input(x))


@dataclass(frozen=True, eq=False)
class InputCapture(Capture):
    """A capture at the input, whose gradients are larger on their way than when they arrive."""

    widest_bytes: int = 1

    def gradients(
        self, targets: Targets = "all", *, create_graph: bool = False
    ) -> Iterator[Float[Tensor, "target batch channel *space"]]:
        """Those of `Capture`, of as many targets at a time as fit where they are largest."""
        pick = self.pick(targets)
        step = max(1, WIDEST_BYTES // self.widest_bytes)
        for start in range(0, pick(self.scores).shape[1], step):
            some = partial(_columns, pick, slice(start, start + step))
            yield from super().gradients(some, create_graph=create_graph)


def _columns(pick: Pick, some: slice, scores: Tensor) -> Tensor:
    return pick(scores)[:, some]


def seen_at(
    network: nn.Module, x: Num[Tensor, "batch ..."], layer: nn.Module | str | None = None
) -> Capture:
    """What `capture` sees at `layer`, or at the input itself where none is named."""
    if layer is not None:
        return capture(network, x, layer=layer)
    entered = FromInput(unwrapped(network))
    sizes = [1]

    def note(_module: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            sizes.append(output.numel() * output.element_size())

    with ExitStack() as hooks:
        for module in entered.modules():
            hooks.enter_context(hooked(module, note))
        seen = capture(entered, x, layer=entered.input)
    fields = {field.name: getattr(seen, field.name) for field in dataclasses.fields(seen)}
    return InputCapture(**fields, widest_bytes=max(sizes))


def seen_with(
    value: Float[Tensor, "batch channel *space"],
    network: nn.Module,
    x: Num[Tensor, "batch ..."],
    layer: nn.Module | str | None = None,
) -> Capture:
    """The same, had that place held `value`."""
    if layer is None:
        return seen_at(network, value)
    layer = find_layer(network, x, layer)
    with torch.inference_mode(False):
        kept = value.clone()
        with eager_around(unwrapped(network), layer), hooked(layer, lambda *_: kept):
            return capture(network, x, layer=layer)


def scores_with(
    values: Iterable[Float[Tensor, "batch channel *space"]],
    pick: Pick,
    network: nn.Module,
    x: Num[Tensor, "batch ..."],
    layer: nn.Module | str | None = None,
) -> Float[Tensor, "change batch target"]:
    """Scores had that place held each of `values`, run as many at a time as memory allows."""
    network = unwrapped(network)
    if layer is not None:
        layer = find_layer(network, x, layer)
    with torch.inference_mode(False), torch.no_grad(), borrowed(network):
        rows = torch.cat(
            [pick(_scores(torch.cat(group), network, x, layer)) for group in _groups(values)]
        )
    return torch.unflatten(rows, 0, (-1, len(x)))


def _groups(values: Iterable[Tensor]) -> Iterator[list[Tensor]]:
    group: list[Tensor] = []
    for value in values:
        group.append(value)
        if len(group) * value.numel() * value.element_size() >= CHANGED_BYTES:
            yield group
            group = []
    if group:
        yield group


def _scores(values: Tensor, network: nn.Module, x: Tensor, layer: nn.Module | None) -> Tensor:
    if layer is None:
        return network(values)
    repeated = x.repeat(len(values) // len(x), *[1] * (x.ndim - 1))
    with eager_around(network, layer), hooked(layer, lambda *_: values):
        return network(repeated)
