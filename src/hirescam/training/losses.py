"""Losses: being right about each label, for reasons that lie where the label may lie.

Draelos and Carin, arXiv:2011.08891, equations 2 and 12, and the published code where it
differs. Mask losses take *attention*: HiResCAM times the number of slice groups over which the
network averages its scores, so that a cell weighs in its slice's score what it weighs there.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

Attention = Float[Tensor, "batch label slice row column"]
Allowed = Bool[Tensor, "batch label slice row column"]
Loss = Float[Tensor, ""]
MaskLoss = Callable[[Attention, Allowed], Loss]

MASK_LOSS_WEIGHT = 1 / 3
"""λ of the paper."""


def classification_loss(
    logits: Float[Tensor, "batch label"],
    labels: Float[Tensor, "batch label"],
    positive_weight: Float[Tensor, "label"] | None = None,
) -> Loss:
    """Binary cross-entropy, mean over the labels that are known; NaN marks the others.

    `positive_weight` multiplies what present labels cost, for labels that are rare.
    """
    known = labels.isfinite()
    each = F.binary_cross_entropy_with_logits(
        logits, labels.nan_to_num(), pos_weight=positive_weight, reduction="none"
    )
    return (each * known).sum() / known.sum().clamp(min=1)


def positive_weights(labels: Float[Tensor, "scan label"]) -> Float[Tensor, "label"]:
    """Negatives per positive of each label, between 1 and 10, as the published option."""
    positive = (labels == 1).sum(dim=0)
    negative = (labels == 0).sum(dim=0)
    return (negative / positive.clamp(min=1)).clamp(1, 10)


def published(attention: Attention, allowed: Allowed) -> Loss:
    """−log(1 − sigmoid) of attention, mean over forbidden cells: what the code computes."""
    return _mean(F.softplus(attention), ~allowed)


def summed(attention: Attention, allowed: Allowed) -> Loss:
    """The same as a sum: equation 12, whose attention can only be meant between 0 and 1."""
    return (F.softplus(attention) * ~allowed).sum()


def present(attention: Attention, allowed: Allowed) -> Loss:
    """As published, but only of labels that may look somewhere: not of absent ones."""
    somewhere = allowed.flatten(2).any(dim=2)[..., None, None, None]
    return _mean(F.softplus(attention), ~allowed & somewhere)


def two_sided(attention: Attention, allowed: Allowed) -> Loss:
    """Evidence of either sign is penalised where it is forbidden, and none costs nothing.

    The published form goes on rewarding negative evidence in forbidden places, through which
    something outside the organ can still act: by its absence.
    """
    return _mean(attention.abs(), ~allowed)


def l2(attention: Attention, allowed: Allowed) -> Loss:
    """Euclidean norm of attention over forbidden cells: the paper's alternative."""
    return torch.linalg.vector_norm(attention * ~allowed)


MASK_LOSSES: dict[str, MaskLoss] = {
    "published": published,
    "paper": summed,
    "present": present,
    "two-sided": two_sided,
    "anatomy": published,
    "l2": l2,
}
"""By name. `anatomy` is `published` with regions in which absent labels may lie too."""

ABSENT_MAY_LOOK = {name: "anatomy" if name == "anatomy" else "nowhere" for name in MASK_LOSSES}
"""Where `Regions.allowed` lets absent labels look, for each mask loss."""


def _mean(values: Tensor, where: Bool[Tensor, "..."]) -> Loss:
    """Mean over some of the values; 0, not NaN, where there are none."""
    return (values * where).sum() / where.sum().clamp(min=1)
