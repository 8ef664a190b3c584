"""Heads: networks whose maps are exact, and those maps in closed form."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod

from einops import einsum
from jaxtyping import Float
from torch import Tensor, nn

from hirescam.errors import LayerError

CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


class SingleLayerHead(nn.Module):
    """Features, and one fully connected layer from all their places to the scores."""

    def __init__(self, features: nn.Module, channels: int, size: Sequence[int], labels: int):
        super().__init__()
        self.features = features
        self.flatten = nn.Flatten()
        self.head = nn.Linear(channels * prod(size), labels)

    @property
    def explained_layer(self) -> nn.Module:
        """The layer whose maps are exact."""
        return self.features

    def forward(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch label"]:
        return self.head(self.flatten(self.features(x)))


def single_layer_head(
    trunk: nn.Module, channels: int, size: Sequence[int], labels: int, extra: Sequence[int] = ()
) -> SingleLayerHead:
    """A network on `trunk` whose HiResCAM maps are guaranteed, before and after training.

    `trunk` gives (batch, channels, *size). Fully connected layers that one would like to add
    are `extra` 1×1 convolutions with ReLU, given by their widths, and belong to the explained
    features. That is the advice of Draelos and Carin, arXiv:2011.08891.
    """
    widths = [channels, *extra]
    convolution = CONVOLUTIONS[len(size)]
    layers = [
        layer
        for before, after in pairwise(widths)
        for layer in (convolution(before, after, kernel_size=1), nn.ReLU())
    ]
    return SingleLayerHead(nn.Sequential(trunk, *layers), widths[-1], size, labels)


def linear_head_maps(
    features: Float[Tensor, "batch channel *space"], weight: Float[Tensor, "label ..."]
) -> Float[Tensor, "batch label *space"]:
    """HiResCAM of every label without a gradient, differentiable: a loss term for training.

    `weight` is that of a linear layer on flattened features; of one after global average
    pooling (or CAM's); or of a convolution as large as the features. Along an axis where
    such a convolution has length one, its scores are taken to be averaged, as AxialNet's are.
    """
    channels, space = features.shape[1], features.shape[2:]
    flattened = weight[0].numel() == channels * prod(space)
    kernel = tuple(weight.shape[2:]) or tuple(space if flattened else [1] * len(space))
    fits = len(kernel) == len(space) and all(
        k in (1, places) for k, places in zip(kernel, space, strict=True)
    )
    if not fits or weight[0].numel() != channels * prod(kernel):
        raise LayerError(
            f"a head of weight {tuple(weight.shape)} does not fit features of {channels} "
            f"channels and {tuple(space)} places: expected a linear layer on all of them, one "
            f"after global average pooling, or a convolution as large as they are"
        )
    averaged = prod(places for k, places in zip(kernel, space, strict=True) if k < places)
    each = (weight / averaged).reshape(len(weight), channels, *kernel)
    each = each.expand(-1, -1, *space)
    return einsum(features, each, "b channel ..., label channel ... -> b label ...")
