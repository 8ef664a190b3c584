"""Losses: being right about each label, for reasons that lie where the label may lie.

Draelos and Carin, arXiv:2011.08891, equations 2 and 12, and the published code where it
differs. Mask losses take *attention*: HiResCAM times the number of slice groups over which the
network averages its scores, so that a cell weighs in its slice's score what it weighs there.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int8
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


def fraction(attention: Attention, allowed: Allowed) -> Loss:
    """Share of the evidence of either sign that is forbidden, mean over labels and scans.

    It fails in a known way: evidence that is large inside the organ and cancels itself there
    has a small share outside, and the score still follows the outside (docs/how-to/train.md).
    """
    absolute = attention.abs()
    share = (absolute * ~allowed).sum(dim=(2, 3, 4)) / absolute.sum(dim=(2, 3, 4)).clamp(1e-6)
    return _mean(share, allowed.flatten(2).any(dim=2))


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
    "fraction": fraction,
}
"""By name. `anatomy` is `published` with regions in which absent labels may lie too."""

_BY_ANATOMY = ("anatomy", "fraction")
ABSENT_MAY_LOOK = {
    name: "anatomy" if name in _BY_ANATOMY else "nowhere" for name in MASK_LOSSES
}
"""Where `Regions.allowed` lets absent labels look, for each mask loss."""

CELLS = "cells"
"""The loss that needs lesion masks; it can stand beside another, as `published+cells`."""
_HARDEST = 48


def cell_loss(logits: Attention, lesions: Int8[Tensor, "batch label slice row column"]) -> Loss:
    """Binary cross-entropy of each cell: 1 a lesion, 0 background, −1 not counted.

    The mean over lesion cells, the mean over background cells, four times, and the mean over
    the 48 background cells that are most wrong count alike: so a nodule of two cells weighs
    what an effusion of two hundred does, and what looks like one weighs most.
    """
    lesion, background = (lesions == 1).flatten(2), (lesions == 0).flatten(2)
    missed = (F.softplus(-logits).flatten(2) * lesion).sum(2) / lesion.sum(2).clamp(min=1)
    wrong = F.softplus(logits).flatten(2) * background
    hardest = wrong.topk(min(_HARDEST, wrong.shape[2]), dim=2).values.mean(dim=2)
    each = missed + 4 * wrong.sum(2) / background.sum(2).clamp(min=1) + hardest
    return each.mean()


def mask_loss_parts(name: str | None) -> tuple[str, ...]:
    """The losses on maps that a config asks for, as `published+cells`."""
    return () if name is None else tuple(part.strip() for part in name.split("+"))


def _mean(values: Tensor, where: Bool[Tensor, "..."]) -> Loss:
    """Mean over some of the values; 0, not NaN, where there are none."""
    return (values * where).sum() / where.sum().clamp(min=1)
