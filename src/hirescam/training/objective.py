"""Objective: what a training step minimises, maps of all labels included, in one module.

Attention is maps times the number of slice groups, over which AxialNet averages its scores:
what the published code hands to the mask loss. Everything happens inside `Objective.forward`,
so that gradients are averaged over processes as those of any other network.
"""

from typing import Literal, NamedTuple

import torch
from einops import einsum
from jaxtyping import Bool, Float
from torch import Tensor, nn

from hirescam.errors import ShapeError
from hirescam.models.classifier import Classifier
from hirescam.training.losses import MASK_LOSS_WEIGHT, MASK_LOSSES, Loss, classification_loss

Features = Float[Tensor, "batch feature slice row column"]
Maps = Float[Tensor, "batch label slice row column"]


def hirescam_attention(network: Classifier, features: Features) -> Maps:
    """HiResCAM of every label: in closed form where the head is linear, else by gradients."""
    slices = features.shape[2]
    maps = network.label_maps(features)
    if maps is not None:
        return maps * slices
    features, gradients = _gradients(network, features)
    return einsum(gradients, features, "l b f s h w, b f s h w -> b l s h w") * slices


def gradcam_attention(network: Classifier, features: Features) -> Maps:
    """Grad-CAM of every label: the gradient replaced by its mean over all places.

    The authors trained with it too, without reporting it.
    """
    features, gradients = _gradients(network, features)
    weights = gradients.mean(dim=(3, 4, 5))
    return einsum(weights, features, "l b f, b f s h w -> b l s h w") * features.shape[2]


ATTENTION = {"hirescam": hirescam_attention, "gradcam": gradcam_attention}


def _gradients(
    network: Classifier, features: Features
) -> tuple[Features, Float[Tensor, "label batch feature slice row column"]]:
    """Features, and how each score of each scan changes with them; both can be trained.

    Works without autograd's being on, as in validation.
    """
    with torch.enable_grad():
        if not features.requires_grad:
            features = features.detach().requires_grad_()
        scores = network.scores(features)
        labels = scores.shape[1]
        each = torch.eye(labels, device=scores.device, dtype=scores.dtype)
        each = each[:, None, :].expand(labels, *scores.shape)
        (gradients,) = torch.autograd.grad(
            scores, features, each, create_graph=True, is_grads_batched=True
        )
    return features, gradients


class Losses(NamedTuple):
    """Losses of a step, and the scores that they are of."""

    total: Loss
    classification: Loss
    mask: Loss
    scores: Float[Tensor, "batch label"]


class Objective(nn.Module):
    """A network with what it is trained for; without a mask loss, to be right alone."""

    positive_weight: Float[Tensor, "label"] | None

    def __init__(
        self,
        network: Classifier,
        *,
        mask_loss: str | None = None,
        mask_loss_weight: float = MASK_LOSS_WEIGHT,
        maps: Literal["hirescam", "gradcam"] = "hirescam",
        positive_weight: Float[Tensor, "label"] | None = None,
    ):
        super().__init__()
        self.network = network
        self.mask_loss = mask_loss
        self.mask_loss_weight = mask_loss_weight
        self.maps = maps
        self.register_buffer("positive_weight", positive_weight, persistent=False)

    def forward(
        self,
        x: Float[Tensor, "batch slice channel row column"],
        labels: Float[Tensor, "batch label"],
        allowed: Bool[Tensor, "batch label map_slice map_row map_column"] | None = None,
    ) -> Losses:
        """The losses of scans; a mask loss needs to know where each label is `allowed`.

        The head, the maps and the losses are computed in float32 at any precision.
        """
        features = self.network.features(x)
        with torch.autocast(features.device.type, enabled=False):
            features = features.float()
            scores = self.network.scores(features)
            classification = classification_loss(scores, labels, self.positive_weight)
            if self.mask_loss is None:
                return Losses(classification, classification, scores.new_zeros(()), scores)
            attention = ATTENTION[self.maps](self.network, features)
            if allowed is None or allowed.shape != attention.shape:
                raise ShapeError(
                    f"regions are {None if allowed is None else tuple(allowed.shape)}, maps "
                    f"{tuple(attention.shape)}: make the regions on this network's map"
                )
            mask = MASK_LOSSES[self.mask_loss](attention, allowed)
            total = classification + self.mask_loss_weight * mask
            return Losses(total, classification, mask, scores)
