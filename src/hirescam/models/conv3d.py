"""3DConv: 3D convolutions on the whole scan, each leaving a third of it along each axis.

Draelos and Carin, arXiv:2011.08891, section 5. Slices are not grouped: the scan is one volume
of one channel. Three fully connected layers follow the cells, so their maps are not guaranteed.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import prod

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from hirescam.models.classifier import Classifier, Features
from hirescam.models.layers import fully_connected


class VolumeFeatures(nn.Module):
    """Slices out of their groups, then 3D convolutions, each with a ReLU."""

    def __init__(self, widths: Sequence[int], neck: Sequence[int]):
        super().__init__()
        sizes = (1, *widths, *neck)
        thirds = [(3, 3)] * len(widths) + [(1, 1)] * len(neck)
        self.layers = nn.Sequential(
            *(
                layer
                for (before, after), (kernel, stride) in zip(
                    pairwise(sizes), thirds, strict=True
                )
                for layer in (nn.Conv3d(before, after, kernel, stride), nn.ReLU())
            )
        )

    def forward(
        self, x: Float[Tensor, "batch slice channel row column"]
    ) -> Float[Tensor, "batch feature slice_ row_ column_"]:
        return self.layers(rearrange(x, "b s c h w -> b 1 (s c) h w"))


class Conv3DNet(Classifier):
    """The paper's network: `widths` of convolutions that shrink, `neck` of 1×1×1 ones."""

    grouped = False

    def __init__(
        self,
        *,
        labels: int = 80,
        side: int = 420,
        slices: int = 135,
        widths: Sequence[int] = (64, 128, 256, 512),
        neck: Sequence[int] = (128, 64),
        hidden: Sequence[int] = (128, 96),
        channels: int = 3,
    ):
        super().__init__()
        self.side, self.channels = side, channels
        self.features = VolumeFeatures(tuple(widths), tuple(neck))
        flat = neck[-1] * prod(self.map_shape(slices))
        self.head = fully_connected((flat, *hidden, labels), dropout=0.1)

    def scores(self, features: Features) -> Float[Tensor, "batch label"]:
        return self.head(features.flatten(1))
