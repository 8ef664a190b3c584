"""BodyConv: a 2D trunk on every slice group, then 3D convolutions along the body.

Draelos and Carin, arXiv:2011.08891, section 5: CTNet turned so that convolutions see features
as channels and the body as depth. Cells keep a place in the body; three fully connected layers
follow them, so their maps are not guaranteed.
"""

from collections.abc import Sequence
from math import prod

from jaxtyping import Float
from torch import Tensor, nn

from hirescam.models.classifier import Classifier, Features, SliceFeatures
from hirescam.models.layers import fully_connected, shrinking_convolutions
from hirescam.models.trunks import build_trunk


class BodyConv(Classifier):
    """The paper's network; `strides` are those of its 3D convolutions along the body."""

    features: nn.Sequential

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
        self.features = nn.Sequential(
            SliceFeatures(images, nn.Identity()),
            shrinking_convolutions((images.out_channels, *neck), strides),
        )
        flat = neck[-1] * prod(self.map_shape(slices))
        self.head = fully_connected((flat, *hidden, labels), dropout=0.5)

    def scores(self, features: Features) -> Float[Tensor, "batch label"]:
        return self.head(features.flatten(1))
