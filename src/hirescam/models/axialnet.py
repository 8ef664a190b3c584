"""AxialNet: a 2D network on every slice group, one score per slice group, mean over them.

Draelos and Carin, arXiv:2011.08891, section 4: ResNet-18, four unpadded convolutions down
to 16 features, and one fully connected layer shared by all slice groups. Because that layer
is the only one after the features, HiResCAM of the features is exact.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hirescam.ct.grid import Cells, receptive_cells
from hirescam.errors import ModelError
from hirescam.models.backbone import ResNetTrunk, windows
from hirescam.models.classifier import Classifier, SliceFeatures


class AxialNet(Classifier):
    """The paper's network; smaller `widths`, `blocks` and `side` make a small one.

    The head works in float32 whatever the precision of the features, so that maps and scores
    agree.
    """

    def __init__(
        self,
        *,
        labels: int = 80,
        side: int = 420,
        widths: Sequence[int] = (64, 128, 256, 512),
        blocks: Sequence[int] = (2, 2, 2, 2),
        neck: Sequence[int] = (64, 32, 16, 16),
        channels: int = 3,
    ):
        super().__init__()
        trunk = ResNetTrunk(tuple(widths), tuple(blocks), channels)
        sizes = [widths[-1], *neck]
        layers = [
            layer
            for before, after in pairwise(sizes)
            for layer in (nn.Conv2d(before, after, 3), nn.ReLU(inplace=True))
        ]
        self.side = side
        self.features = SliceFeatures(trunk, nn.Sequential(*layers))
        count = self.cells.count
        if count < 1:
            raise ModelError(f"slices of {side} pixels are too small for this AxialNet")
        self.head = nn.Conv3d(sizes[-1], labels, kernel_size=(1, count, count))

    @property
    def cells(self) -> Cells:
        return receptive_cells(windows(self.features), self.side)

    def scores(
        self, features: Float[Tensor, "batch feature slice row column"]
    ) -> Float[Tensor, "batch label"]:
        return self.slice_scores(features).mean(dim=2)

    def slice_scores(
        self, features: Float[Tensor, "batch feature slice row column"]
    ) -> Float[Tensor, "batch label slice"]:
        with torch.autocast(features.device.type, enabled=False):
            return self.head(features.float()).flatten(2)

    def label_maps(
        self, features: Float[Tensor, "batch feature slice row column"]
    ) -> Float[Tensor, "batch label slice row column"]:
        """HiResCAM of every label in closed form: what each place adds to its scan's score."""
        weight = self.head.weight.squeeze(2) / features.shape[2]
        return torch.einsum("bfshw,lfhw->blshw", features.float(), weight)
