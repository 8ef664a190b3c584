"""Objective: what a training step minimises, in one forward pass of one module.

Everything happens inside `forward`, maps included, so that the gradients of several processes
are averaged as those of any other network.
"""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from hirescam.errors import ShapeError
from hirescam.models.classifier import Classifier
from hirescam.training.attention import ATTENTION
from hirescam.training.losses import (
    MASK_LOSS_WEIGHT,
    MASK_LOSSES,
    Loss,
    classification_loss,
)


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
