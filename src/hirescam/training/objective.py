"""Objective: what a training step minimises, maps of all labels included, in one module.

Attention is maps times the number of slice groups, over which AxialNet averages its scores:
what the published code hands to the mask loss. Everything happens inside `Objective.forward`,
so that gradients are averaged over processes as those of any other network.
"""

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from einops import einsum
from jaxtyping import Bool, Float, Int8
from torch import Tensor, nn

from hirescam.errors import ModelError, ShapeError
from hirescam.models.classifier import Classifier
from hirescam.training.losses import (
    CELLS,
    MASK_LOSS_WEIGHT,
    MASK_LOSSES,
    Loss,
    cell_loss,
    classification_loss,
    mask_loss_parts,
)

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
    """A network with what it is trained for; without a mask loss, to be right alone.

    `mask_loss` names losses on maps, joined by `+`. `gradient_penalty` weighs the squared
    gradient of the known scores at voxels outside the organs (Ross et al., "Right for the right
    reasons", IJCAI 2017). `groups` is the number of groups of scans whose worst one counts most
    (group DRO: Sagawa et al., ICLR 2020), for each label and each of its values apart.
    """

    positive_weight: Float[Tensor, "label"] | None
    group_weights: Float[Tensor, "label group 2"] | None

    def __init__(
        self,
        network: Classifier,
        *,
        mask_loss: str | None = None,
        mask_loss_weight: float = MASK_LOSS_WEIGHT,
        cell_loss_weight: float = 1.0,
        maps: Literal["hirescam", "gradcam"] = "hirescam",
        positive_weight: Float[Tensor, "label"] | None = None,
        gradient_penalty: float = 0.0,
        groups: int = 0,
        labels: int = 0,
        group_rate: float = 0.02,
    ):
        super().__init__()
        self.network = network
        parts = mask_loss_parts(mask_loss)
        self.region_losses = tuple(part for part in parts if part != CELLS)
        self.trains_cells = CELLS in parts
        self.mask_loss_weight, self.cell_loss_weight = mask_loss_weight, cell_loss_weight
        self.maps = maps
        self.gradient_penalty, self.group_rate = gradient_penalty, group_rate
        weights = torch.full((labels, groups, 2), 1 / (2 * groups)) if groups else None
        self.register_buffer("positive_weight", positive_weight, persistent=False)
        self.register_buffer("group_weights", weights, persistent=False)

    def forward(
        self,
        x: Float[Tensor, "batch slice channel row column"],
        labels: Float[Tensor, "batch label"],
        allowed: Bool[Tensor, "batch label map_slice map_row map_column"] | None = None,
        lesions: Int8[Tensor, "batch label map_slice map_row map_column"] | None = None,
        inside: Bool[Tensor, "batch slices row column"] | None = None,
        group: int = -1,
    ) -> Losses:
        """The losses of scans; a mask loss needs to know where each label is `allowed`.

        A cell loss needs `lesions`, a gradient penalty the voxels `inside` the organs, group
        DRO the `group` of the scan, of which there is one. The head, the maps and the losses
        are computed in float32 at any precision.
        """
        penalised = self.training and self.gradient_penalty > 0 and inside is not None
        x = x.detach().requires_grad_() if penalised else x
        cells = None
        if self.trains_cells:
            features, cells = self.network.features_and_cells(x)
        else:
            features = self.network.features(x)
        with torch.autocast(features.device.type, enabled=False):
            features = features.float()
            scores = self.network.scores(features)
            classification = self._classification(scores, labels, group)
            mask, total = scores.new_zeros(()), classification
            for name in self.region_losses:
                attention = ATTENTION[self.maps](self.network, features)
                part = MASK_LOSSES[name](attention, _on_map(allowed, attention, "regions"))
                mask, total = mask + part, total + self.mask_loss_weight * part
            if self.trains_cells:
                if cells is None:
                    raise ModelError(
                        f"{type(self.network).__name__} has no maps in closed form whose cells "
                        f"could be trained: take EvidenceNet, AxialNet or BodyCAM"
                    )
                part = cell_loss(cells.float(), _on_map(lesions, cells, "lesions"))
                mask, total = mask + part, total + self.cell_loss_weight * part
            if penalised and inside is not None:
                part = _outside_gradient(scores, labels, x, inside)
                mask, total = mask + part, total + self.gradient_penalty * part
            return Losses(total, classification, mask, scores)

    def _classification(
        self,
        scores: Float[Tensor, "batch label"],
        labels: Float[Tensor, "batch label"],
        group: int,
    ) -> Loss:
        """Binary cross-entropy; in training with groups, the worst group of a label first."""
        if self.group_weights is None or not self.training or group < 0:
            return classification_loss(scores, labels, self.positive_weight)
        known = labels.isfinite()
        each = F.binary_cross_entropy_with_logits(
            scores, labels.nan_to_num(), pos_weight=self.positive_weight, reduction="none"
        )
        column = torch.arange(labels.shape[1], device=labels.device)
        present = (labels[0].nan_to_num() > 0).long()
        factor = torch.exp(self.group_rate * each[0].detach() * known[0])
        self.group_weights[column, group, present] *= factor
        self.group_weights /= self.group_weights.sum(dim=(1, 2), keepdim=True)
        weight = self.group_weights[column, group, present] * self.group_weights[0].numel()
        return (each * weight * known).sum() / known.sum().clamp(min=1)


def _on_map(values: Tensor | None, maps: Tensor, what: str) -> Tensor:
    if values is None or values.shape != maps.shape:
        raise ShapeError(
            f"{what} are {None if values is None else tuple(values.shape)}, maps "
            f"{tuple(maps.shape)}: make the {what} on this network's map"
        )
    return values


def _outside_gradient(
    scores: Float[Tensor, "batch label"],
    labels: Float[Tensor, "batch label"],
    x: Float[Tensor, "batch slice channel row column"],
    inside: Bool[Tensor, "batch slices row column"],
) -> Loss:
    """Sum of the squared gradient of the known scores over the voxels outside."""
    known = scores[labels.isfinite()].sum()
    (gradient,) = torch.autograd.grad(known, x, create_graph=True)
    return (gradient.reshape(inside.shape).square() * ~inside).sum()
