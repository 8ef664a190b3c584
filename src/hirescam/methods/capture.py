"""Run a network once; keep what one layer produced and the gradients of its scores there.

Below the layer no autograd graph is built: the hook hands on a leaf. So all labels cost one
forward pass and, for the part above the layer only, one batched vector-Jacobian product.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hirescam.errors import LayerError, TargetError
from hirescam.methods.layers import find_layer, layer_name
from hirescam.methods.state import evaluating, frozen, hooked

Targets = Literal["all"] | int | Sequence[int]
"""Which scores to explain: every one, or output indices."""

GRADIENT_BYTES = 256 * 2**20
"""How much memory the gradients of a group of targets may take at a time."""


@dataclass(frozen=True, eq=False)
class Capture:
    """What one forward pass left at a layer, ready for gradients of its scores there."""

    scores: Float[Tensor, "batch label"]
    activation: Float[Tensor, "batch channel *space"]
    layer: nn.Module

    def indices(self, targets: Targets) -> list[int]:
        """Output indices of `targets`, each checked against the network's scores."""
        count = self.scores.shape[1]
        chosen = list(range(count)) if targets == "all" else targets
        chosen = [chosen] if isinstance(chosen, int) else list(chosen)
        wrong = [index for index in chosen if not 0 <= index < count]
        if wrong or not chosen:
            raise TargetError(
                f"targets {chosen} asked for, but the network has {count} scores: choose "
                f'from 0 to {count - 1}, or targets="all"'
            )
        return chosen

    def gradients(
        self, targets: Targets = "all", *, create_graph: bool = False
    ) -> Iterator[Float[Tensor, "target batch channel *space"]]:
        """Gradients of the targets' scores at the layer, a bounded number of targets at a time.

        Images of a batch are taken to be independent, as they are in evaluation mode.
        """
        chosen = self.indices(targets)
        size = self.activation.numel() * self.activation.element_size()
        for some in torch.split(torch.tensor(chosen), max(1, GRADIENT_BYTES // size)):
            pick = torch.zeros(len(some), *self.scores.shape, device=self.scores.device)
            pick[torch.arange(len(some)), :, some] = 1
            (gradient,) = torch.autograd.grad(
                self.scores,
                self.activation,
                pick.to(self.scores.dtype),
                is_grads_batched=True,
                retain_graph=True,
                create_graph=create_graph,
            )
            yield gradient


def capture(
    network: nn.Module, x: Float[Tensor, "batch ..."], *, layer: nn.Module | str | None = None
) -> Capture:
    """Run `network` on `x` in evaluation mode and keep the output of `layer`.

    The network is left as it was found: modes, hooks, gradients and requires_grad, also after
    an exception. Callers may be inside `no_grad` or `inference_mode`.
    """
    layer = find_layer(network, x, layer)
    name = layer_name(network, layer)
    kept: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: object) -> Tensor:
        if not isinstance(output, Tensor) or output.ndim < 3:
            raise LayerError(
                f"layer {name!r} returns {_described(output)}, expected one "
                f"tensor (batch, channel, *space): pick a layer with spatial output"
            )
        kept.append(output.detach().requires_grad_())
        return kept[-1].clone()  # so that a later in-place ReLU cannot change what we kept

    with torch.inference_mode(False), torch.enable_grad():
        x = x.clone() if x.is_inference() else x.detach()
        with evaluating(network), frozen(network), hooked(layer, keep):
            scores = network(x)
    if len(kept) != 1:
        raise LayerError(
            f"layer {name!r} ran {len(kept)} times in one forward pass, "
            f"expected exactly 1: pick a layer that the network calls once"
        )
    if not isinstance(scores, Tensor) or scores.ndim != 2:
        raise TargetError(
            f"the network returns {_described(scores)}, expected scores (batch, label): "
            f"wrap it in a module that returns its logits"
        )
    if not scores.requires_grad:
        raise LayerError(f"the scores do not depend on layer {name!r}: pick another layer")
    return Capture(scores, kept[0], layer)


def _described(output: object) -> str:
    if isinstance(output, Tensor):
        return f"a tensor of shape {tuple(output.shape)}"
    return f"a {type(output).__name__}"
