"""CTNet: a 2D trunk on every slice group, then 3D convolutions along its features.

Draelos et al., "Machine-learning-based multiple abnormality prediction with large-scale chest
computed tomography volumes", Medical Image Analysis 67, 2021. The convolutions take slice
groups for channels and features for depth, so that above the trunk no value has a place in the
body: it is the trunk's output that can be explained, and of that nothing is guaranteed.
"""

from collections.abc import Sequence
from math import prod

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from hirescam.models.classifier import Classifier, Features, SliceFeatures
from hirescam.models.geometry import counts
from hirescam.models.layers import fully_connected, shrinking_convolutions
from hirescam.models.trunks import build_trunk


class CTNet(Classifier):
    """The network as Draelos and Carin trained it (135 slice groups, 80 labels)."""

    def __init__(
        self,
        *,
        labels: int = 80,
        side: int = 420,
        slices: int = 135,
        widths: Sequence[int] = (64, 128, 256, 512),
        blocks: Sequence[int] = (2, 2, 2, 2),
        neck: Sequence[int] = (64, 32, 16),
        strides: Sequence[int] = (3, 3, 3),
        hidden: Sequence[int] = (128, 96),
        channels: int = 3,
        trunk: str = "ResNet",
    ):
        super().__init__()
        self.side, self.channels = side, channels
        images = build_trunk(trunk, tuple(widths), tuple(blocks), channels)
        self.features = SliceFeatures(images, nn.Identity())
        _, rows, columns = self.map_shape(slices)
        self.neck = shrinking_convolutions((slices, *neck), strides)
        left = counts(self.neck, (images.out_channels, rows, columns))
        self.head = fully_connected((neck[-1] * prod(left), *hidden, labels), dropout=0.5)

    def scores(self, features: Features) -> Float[Tensor, "batch label"]:
        along_features = rearrange(features, "b f s h w -> b s f h w")
        return self.head(self.neck(along_features).flatten(1))
