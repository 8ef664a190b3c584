"""EvidenceNet: 3D convolutions to one evidence map per label, and a weighted sum of each map.

A cell's evidence is ReLU(logit − threshold): how far the cell's own logit, trained on whether a
lesion lies there, passes a threshold. A score is affine in the sum of its label's evidence, so
the maps of HiResCAM, Grad-CAM and CAM are one map; it is exact, and 0 wherever nothing is seen.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from hirescam.models.classifier import Classifier, Features

Scan = Float[Tensor, "batch slice channel row column"]
Cells = Float[Tensor, "batch feature map_slice map_row map_column"]


class ResidualBlock(nn.Module):
    """Two dilated 3×3×3 convolutions with batch normalisation, added to their input."""

    def __init__(self, width: int, dilation: int):
        super().__init__()
        self.first = _convolution(width, width, dilation=dilation)
        self.second = _convolution(width, width, dilation=dilation)

    def forward(self, x: Float[Tensor, "batch feature *space"]) -> Tensor:
        return F.relu(x + self.second(F.relu(self.first(x))))


class EvidenceFeatures(nn.Module):
    """Slices out of their groups, cells of 4 voxels a side, and the evidence in each cell."""

    def __init__(self, labels: int, width: int, stem: int, dilations: Sequence[int]):
        super().__init__()
        self.layers = nn.Sequential(
            _convolution(1, stem, stride=2),
            nn.ReLU(),
            *(ResidualBlock(stem, 1),),
            _convolution(stem, width, stride=2),
            nn.ReLU(),
            *(ResidualBlock(width, dilation) for dilation in dilations),
            nn.Conv3d(width, labels, 1),
        )
        self.threshold = nn.Buffer(torch.zeros(labels))

    def logits(self, x: Scan) -> Cells:
        """The logit of each cell and label that its lesion lies there."""
        volume = rearrange(x, "b s c h w -> b 1 (s c) h w")
        volume = volume.contiguous(memory_format=torch.channels_last_3d)
        return self.layers(volume).float()

    def evidence(self, logits: Features) -> Features:
        """How far logits pass their label's threshold."""
        return F.relu(logits - self.threshold[:, None, None, None])

    def forward(self, x: Scan) -> Cells:
        return self.evidence(self.logits(x))


class EvidenceHead(nn.Module):
    """For each label a positive weight of the sum of its own map, and a bias."""

    def __init__(self, labels: int):
        super().__init__()
        self.log_weight = nn.Parameter(torch.full((labels,), -3.0))
        self.bias = nn.Parameter(torch.full((labels,), -1.0))

    @property
    def weight(self) -> Float[Tensor, "label"]:
        """Positive: evidence can only raise a score."""
        return self.log_weight.exp()

    def forward(self, evidence: Features) -> Float[Tensor, "batch label"]:
        return evidence.sum(dim=(2, 3, 4)) * self.weight + self.bias


class EvidenceNet(Classifier):
    """A small network whose maps are trained cell by cell: `mask_loss = "cells"`."""

    grouped = False
    features: EvidenceFeatures
    head: EvidenceHead

    def __init__(
        self,
        *,
        labels: int = 80,
        side: int = 112,
        channels: int = 3,
        width: int = 40,
        stem: int = 16,
        dilations: Sequence[int] = (1, 2, 4, 1),
    ):
        super().__init__()
        self.side, self.channels = side, channels
        self.features = EvidenceFeatures(labels, width, stem, tuple(dilations))
        self.head = EvidenceHead(labels)

    def scores(self, features: Features) -> Float[Tensor, "batch label"]:
        with torch.autocast(features.device.type, enabled=False):
            return self.head(features.float())

    def slice_scores(self, features: Features) -> Float[Tensor, "batch label slice"]:
        """The score that the scan would have if all of it were as this slice of cells is."""
        sums = features.float().sum(dim=(3, 4)) * features.shape[2]
        return sums * self.head.weight[:, None] + self.head.bias[:, None]

    def label_maps(self, features: Features) -> Float[Tensor, "batch label slice row column"]:
        """What each place adds to its scan's score."""
        return features.float() * self.head.weight[:, None, None, None]

    def features_and_cells(self, x: Scan) -> tuple[Cells, Cells]:
        logits = self.features.logits(x)
        return self.features.evidence(logits), logits


def _convolution(before: int, after: int, *, stride: int = 1, dilation: int = 1) -> nn.Module:
    convolution = nn.Conv3d(
        before, after, 3, stride, padding=dilation, dilation=dilation, bias=False
    )
    return nn.Sequential(convolution, nn.BatchNorm3d(after))
