"""Eigen-CAM: what varies most in a layer, whatever the network makes of it.

Muhammad and Yeasin, "Eigen-CAM: class activation map using principal components", IJCNN 2020,
arXiv:2008.00299.
"""

import torch
from einops import einsum
from jaxtyping import Float, Num
from torch import Tensor, nn

from hirescam.methods.capture import capture
from hirescam.methods.targets import Targets


def eigencam(
    network: nn.Module,
    x: Num[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
) -> Float[Tensor, "batch target *space"]:
    """Map of the activation along its first principal direction, the same for every target.

    Not specific to a label: it explains no score. The direction's sign, which is arbitrary, is
    the one that makes the map's sum positive.
    """
    seen = capture(network, x, layer=layer)
    activation = seen.activation.detach()
    flat = activation.flatten(2).double()
    directions = torch.linalg.svd(flat, full_matrices=False).U[:, :, 0]
    one = einsum(directions, flat, "b c, b c place -> b place")
    one = one * torch.where(one.sum(dim=1, keepdim=True) < 0, -1, 1)
    one = one.to(activation.dtype).unflatten(1, activation.shape[2:])
    count = seen.pick(targets)(seen.scores).shape[1]
    return one[:, None].repeat(1, count, *[1] * (one.ndim - 1))
