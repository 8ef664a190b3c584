"""BodyCAM: AxialNet's features, their mean over the whole body, one fully connected layer.

Draelos and Carin, arXiv:2011.08891, section 7: the CAM architecture for a scan. Because every
place weighs the same, CAM, Grad-CAM and HiResCAM are one map, and it is exact.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hirescam.models.classifier import Classifier, Features, SliceFeatures
from hirescam.models.layers import custom_convolutions
from hirescam.models.trunks import build_trunk


class BodyCAM(Classifier):
    """The paper's network; the arguments are AxialNet's."""

    averages_slices = True
    features: SliceFeatures
    head: nn.Linear

    def __init__(
        self,
        *,
        labels: int = 80,
        side: int = 420,
        widths: Sequence[int] = (64, 128, 256, 512),
        blocks: Sequence[int] = (2, 2, 2, 2),
        neck: Sequence[int] = (64, 32, 16, 16),
        channels: int = 3,
        trunk: str = "ResNet",
        padding: int = 0,
    ):
        super().__init__()
        self.side, self.channels = side, channels
        slices = build_trunk(trunk, tuple(widths), tuple(blocks), channels)
        sizes = (slices.out_channels, *neck)
        self.features = SliceFeatures(slices, custom_convolutions(sizes, padding=padding))
        self.map_shape(1)  # refuses slices that are too small
        self.head = nn.Linear(sizes[-1], labels)

    def scores(self, features: Features) -> Float[Tensor, "batch label"]:
        with torch.autocast(features.device.type, enabled=False):
            return self.head(features.float().mean(dim=(2, 3, 4)))

    def slice_scores(self, features: Features) -> Float[Tensor, "batch label slice"]:
        """The score that the body would have if all of it were as this slice group is."""
        with torch.autocast(features.device.type, enabled=False):
            return self.head(features.float().mean(dim=(3, 4)).mT).mT

    def label_maps(self, features: Features) -> Float[Tensor, "batch label slice row column"]:
        """What each place adds to its scan's score."""
        weight = self.head.weight / features[0, 0].numel()
        return torch.einsum("bfshw,lf->blshw", features.float(), weight)
