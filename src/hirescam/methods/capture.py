"""Run a network once; keep what one layer produced and the gradients of its scores there.

Below the layer no autograd graph is built: the hook hands on a leaf. So all labels cost one
forward pass and, for the part above the layer only, one batched vector-Jacobian product.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch
from jaxtyping import Float, Num
from torch import Tensor, nn

from hirescam.errors import LayerError, TargetError
from hirescam.methods.layers import channels_come_last, find_layer, layer_name
from hirescam.methods.state import (
    borrowed,
    eager_around,
    evaluating,
    frozen,
    unwrapped,
    watched,
)
from hirescam.methods.targets import Pick, Targets, label_names, picker

GRADIENT_BYTES = 256 * 2**20
"""How much memory the gradients of a group of targets may take at a time."""


@dataclass(frozen=True, eq=False)
class Capture:
    """What one forward pass left at a layer, ready for gradients of its scores there."""

    scores: Float[Tensor, "batch label"]
    activation: Float[Tensor, "batch channel *space"]
    layer: nn.Module
    network: nn.Module
    labels: tuple[str, ...] = ()

    def pick(self, targets: Targets = "all") -> Pick:
        """How to take `targets` out of scores of this network; raises TargetError."""
        return picker(targets, self.scores, self.labels)

    def gradients(
        self, targets: Targets = "all", *, create_graph: bool = False
    ) -> Iterator[Float[Tensor, "target batch channel *space"]]:
        """Gradients of the targets' scores at the layer, a bounded number of targets at a time.

        Images of a batch are taken to be independent, as they are in evaluation mode.
        """
        with torch.inference_mode(False), torch.enable_grad():
            picked = self.pick(targets)(self.scores)
        if not picked.requires_grad:
            raise TargetError(
                "the function of the scores gives numbers that have no gradient: compute them "
                "from the scores with torch, without detaching"
            )
        size = self.activation.numel() * self.activation.element_size()
        count = picked.shape[1]
        each = torch.eye(count, dtype=picked.dtype, device=picked.device)
        for some in torch.split(each, max(1, GRADIENT_BYTES // max(1, size))):
            wanted = some[:, None].expand(-1, *picked.shape)
            with _as_captured(self.network, create_graph):
                found = _products(picked, self.activation, wanted, create_graph)
            yield found


def capture(
    network: nn.Module,
    x: Num[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    labels: Sequence[str] | None = None,
    create_graph: bool = False,
) -> Capture:
    """Run `network` on `x` in evaluation mode and keep the output of `layer`.

    The network is left as it was found: modes, buffers, hooks, gradients, requires_grad and
    random states, also after an exception. Callers may be inside `no_grad`, `inference_mode` or
    `autocast`, or inside a hook of another explanation. `labels` name the scores; left out,
    `network.labels` does. `create_graph` keeps the graph below the layer too, for training.
    """
    network = unwrapped(network)
    layer = find_layer(network, x, layer)
    name = layer_name(network, layer)
    kept: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: object) -> Tensor:
        found = _with_places(output, layer, name)
        below = create_graph and found.requires_grad
        kept.append(found if below else found.detach().requires_grad_())
        return kept[-1].clone()  # so that a later in-place ReLU cannot change what we kept

    with torch.inference_mode(False), torch.enable_grad():
        x = x.clone() if x.is_inference() else x if create_graph else x.detach()
        with (
            borrowed(network),
            _as_captured(network, create_graph),
            eager_around(network, layer),
            watched(layer, keep),
        ):
            scores = network(x)
    _check_run(kept, scores, name)
    named = label_names(network) if labels is None else tuple(labels)
    return Capture(scores, kept[0], layer, network, named)


def _with_places(output: object, layer: nn.Module, name: str) -> Tensor:
    """What a layer returned, if that has channels and then places."""
    if not isinstance(output, Tensor) or output.ndim < 3:
        raise LayerError(
            f"layer {name!r} returns {_described(output)}, expected one tensor "
            f"(batch, channel, *space): pick a layer with spatial output"
        )
    if channels_come_last(layer, output):
        raise LayerError(
            f"layer {name!r} returns {_described(output)}, whose last axis seems to be its "
            f"channels, expected (batch, channel, *space): pick a layer that permutes them, or "
            f"let one do so"
        )
    return output


def _check_run(kept: Sequence[Tensor], scores: object, name: str) -> None:
    """Refuse a run whose scores cannot be traced back to the layer, image by image."""
    if len(kept) != 1:
        raise LayerError(
            f"layer {name!r} ran {len(kept)} times in one forward pass, expected exactly 1: "
            f"pick a layer that the network calls once"
        )
    if not isinstance(scores, Tensor) or scores.ndim != 2:
        raise TargetError(
            f"the network returns {_described(scores)}, expected scores (batch, label): "
            f"wrap it in a module that returns its logits"
        )
    if not scores.requires_grad or not _reaches(scores, kept[0]):
        raise LayerError(
            f"the scores do not depend on layer {name!r}: pick another, or run it without "
            f"no_grad, detach and reentrant checkpoints"
        )
    if len(scores) != len(kept[0]):
        raise LayerError(
            f"layer {name!r} returns {len(kept[0])} rows for {len(scores)} rows of scores: "
            f"pick a layer with one row per image, slices as an axis of space"
        )


@contextmanager
def _as_captured(network: nn.Module, create_graph: bool) -> Iterator[None]:
    """The state to run in; gradients need it too, for checkpointed parts run again then."""
    with evaluating(network), nullcontext() if create_graph else frozen(network):
        yield


def _reaches(scores: Tensor, activation: Tensor) -> bool:
    """Whether the graph of the scores leads to the activation."""
    if activation.is_leaf:
        return scores.requires_grad
    (found,) = torch.autograd.grad(
        scores.sum(), activation, retain_graph=True, allow_unused=True
    )
    return found is not None


def _products(
    picked: Float[Tensor, "batch target"],
    activation: Float[Tensor, "batch channel *space"],
    wanted: Float[Tensor, "some batch target"],
    create_graph: bool,
) -> Float[Tensor, "some batch channel *space"]:
    """Vector-Jacobian products, batched, or one by one where an operation cannot be batched."""

    def product(vector: Tensor, batched: bool) -> Tensor:
        (found,) = torch.autograd.grad(
            picked,
            activation,
            vector,
            is_grads_batched=batched,
            retain_graph=True,
            create_graph=create_graph,
            allow_unused=True,
        )
        if found is None:
            raise LayerError(
                "no gradient leads from the scores to the layer, for something between them "
                "has none: explain the network before it was quantised, or without detach"
            )
        return found

    if len(wanted) > 1:
        try:
            return product(wanted, True)
        except RuntimeError:
            pass  # no batching rule for some operation above the layer; else it fails below too
    return torch.stack([product(vector, False) for vector in wanted])


def _described(output: object) -> str:
    if isinstance(output, Tensor):
        return f"a tensor of shape {tuple(output.shape)}"
    return f"a {type(output).__name__}"
