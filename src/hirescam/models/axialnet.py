"""AxialNet: a 2D network on every slice group, one score per slice group, mean over them.

Draelos and Carin, arXiv:2011.08891, section 4: ResNet-18, four unpadded convolutions down
to 16 features, and one fully connected layer shared by all slice groups. Because that layer
is the only one after the features, HiResCAM of the features is exact.

Its published ablations are arguments: `pool="max"` is MaxPool, `neck=()` NoCustomConv. So are
ours: `padding=1` keeps the trunk's cells, which cover the whole slice, and `trunk` names
another network for slices.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hirescam.errors import ModelError
from hirescam.models.classifier import Classifier, Features, SliceFeatures
from hirescam.models.layers import custom_convolutions
from hirescam.models.trunks import build_trunk

POOLS: dict[str, Callable[..., Tensor]] = {"mean": torch.mean, "max": torch.amax}


class AxialNet(Classifier):
    """The paper's network; smaller `widths`, `blocks` and `side` make a small one.

    The head works in float32 whatever the precision of the features, so that maps and scores
    agree. With `pool="max"` a score is that of its highest slice group: not affine, and without
    maps in closed form.
    """

    features: SliceFeatures
    head: nn.Conv3d

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
        pool: str = "mean",
    ):
        super().__init__()
        if pool not in POOLS:
            raise ModelError(f"pool is {pool!r}, expected one of {', '.join(POOLS)}")
        self.side, self.channels = side, channels
        self.pool, self.averages_slices = pool, pool == "mean"
        slices = build_trunk(trunk, tuple(widths), tuple(blocks), channels)
        sizes = (slices.out_channels, *neck)
        self.features = SliceFeatures(slices, custom_convolutions(sizes, padding=padding))
        _, rows, columns = self.map_shape(1)
        self.head = nn.Conv3d(sizes[-1], labels, kernel_size=(1, rows, columns))

    def scores(self, features: Features) -> Float[Tensor, "batch label"]:
        return POOLS[self.pool](self.slice_scores(features), dim=2)

    def slice_scores(self, features: Features) -> Float[Tensor, "batch label slice"]:
        with torch.autocast(features.device.type, enabled=False):
            return self.head(features.float()).flatten(2)

    def label_maps(
        self, features: Features
    ) -> Float[Tensor, "batch label slice row column"] | None:
        """What each place adds to its scan's score."""
        if not self.averages_slices:
            return None
        weight = self.head.weight.squeeze(2) / features.shape[2]
        return torch.einsum("bfshw,lfhw->blshw", features.float(), weight)
