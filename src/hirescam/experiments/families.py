"""Families: small networks that end as those of the literature do, for an audit of their maps.

What is guaranteed depends on what follows the explained layer, not on a network's size: a few
channels and one channel of input are enough.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hirescam.models.backbone import Bottleneck, ResNetTrunk
from hirescam.models.layers import fully_connected

SIDE, LABELS = 32, 3


class Branches(nn.Module):
    """Paths side by side whose features are put together, as in Inception."""

    def __init__(self, *paths: nn.Module):
        super().__init__()
        self.paths = nn.ModuleList(paths)

    def forward(
        self, x: Float[Tensor, "image channel row column"]
    ) -> Float[Tensor, "image feature row_ column_"]:
        return torch.cat([path(x) for path in self.paths], dim=1)


class Residual(nn.Module):
    """A path that is added to its input before a ReLU, as in Inception-ResNet."""

    def __init__(self, path: nn.Module):
        super().__init__()
        self.path = path

    def forward(
        self, x: Float[Tensor, "image channel row column"]
    ) -> Float[Tensor, "image channel row column"]:
        return torch.relu(x + self.path(x))


@dataclass(frozen=True)
class Family:
    """How a network is built, where a map of it is made, and what its end is in words."""

    build: Callable[[], nn.Module]
    ends_in: str
    layer: str = "features"


def _convolved(before: int, after: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, kernel, stride, padding=kernel // 2),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    )


def _inception(before: int) -> Branches:
    """1×1, 3×3 and pooled paths; 12 features come out."""
    return Branches(
        _convolved(before, 4, 1),
        nn.Sequential(_convolved(before, 4, 1), _convolved(4, 4)),
        nn.Sequential(nn.AvgPool2d(3, 1, 1), _convolved(before, 4, 1)),
    )


def _network(**parts: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(parts))


def _pooled(features: nn.Module, channels: int) -> nn.Sequential:
    """Global average pooling, then one fully connected layer: the CAM architecture."""
    return _network(
        features=features,
        pool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        head=nn.Linear(channels, LABELS),
    )


def _plain() -> nn.Sequential:
    """Convolutions as of a network of one's own; 8 features on 8×8 places."""
    return _network(
        first=_convolved(1, 6, stride=2),
        second=_convolved(6, 8, stride=2),
        third=_convolved(8, 8),
    )


def _connected(*hidden: int, largest: bool = False) -> nn.Sequential:
    """Fully connected layers on all places, or on the largest value of each four."""
    places = 16 if largest else 64
    return _network(
        features=_plain(),
        pool=nn.MaxPool2d(2) if largest else nn.Identity(),
        flatten=nn.Flatten(),
        head=fully_connected((8 * places, *hidden, LABELS), dropout=0.5),
    )


_POOLED = "global average pooling, 1 fully connected layer"
FAMILIES: Mapping[str, Family] = {
    "VGG-16": Family(
        lambda: _connected(16, 16, largest=True), "max pooling, 3 fully connected layers"
    ),
    "ResNet-50": Family(
        lambda: _pooled(ResNetTrunk((4, 6), (1, 1), 1, Bottleneck), 24), _POOLED
    ),
    "Inception-v3": Family(
        lambda: _pooled(nn.Sequential(_convolved(1, 6, stride=4), _inception(6)), 12), _POOLED
    ),
    "Inception-ResNet-v2": Family(
        lambda: _pooled(
            nn.Sequential(
                _convolved(1, 6, stride=4),
                Residual(nn.Sequential(_inception(6), nn.Conv2d(12, 6, 1))),
            ),
            6,
        ),
        _POOLED,
    ),
    "own CNN, pooled": Family(lambda: _pooled(_plain(), 8), _POOLED),
    "own CNN, pooled; an earlier layer": Family(
        lambda: _pooled(_plain(), 8), f"convolution, {_POOLED}", layer="features.second"
    ),
    "own CNN, more than one FC layer": Family(
        lambda: _connected(16), "2 fully connected layers"
    ),
    "own CNN, 3 FC layers": Family(lambda: _connected(16, 16), "3 fully connected layers"),
    "AlexNet variant, 2 FC layers": Family(
        lambda: _connected(16, largest=True), "max pooling, 2 fully connected layers"
    ),
    "one FC layer on all places": Family(_connected, "1 fully connected layer"),
}
