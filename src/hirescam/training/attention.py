"""Attention: maps of all labels as part of a training step, differentiable.

Maps times the number of slice groups, over which AxialNet averages its scores: what the
published code hands to the mask loss.
"""

import torch
from einops import einsum
from jaxtyping import Float
from torch import Tensor

from hirescam.models.classifier import Classifier

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
