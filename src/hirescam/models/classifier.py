"""Classifier: what every network of ours offers to whoever runs, explains or trains it."""

from abc import ABC, abstractmethod

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from hirescam.ct.grid import Cells


class SliceFeatures(nn.Module):
    """A 2D network applied to every slice group, keeping the slice axis.

    In evaluation mode slice groups are taken a few at a time, so that memory does not grow
    with the length of the scan. In training mode all go together: batch normalisation then
    uses the statistics of the whole scan, as published.
    """

    def __init__(self, trunk: nn.Module, neck: nn.Module, *, chunk: int = 5):
        super().__init__()
        self.trunk = trunk
        self.neck = neck
        self.chunk = chunk
        self.inference_only = False  # `accelerate` sets it: the features give no gradients then

    def forward(
        self, x: Float[Tensor, "batch slice channel row column"]
    ) -> Float[Tensor, "batch feature slice row_ column_"]:
        images = rearrange(x, "b s c h w -> (b s) c h w")
        chunks = (images,) if self.training else torch.split(images, self.chunk)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.inference_only):
            features = torch.cat([self._of_images(chunk) for chunk in chunks])
        return rearrange(features, "(b s) f h w -> b f s h w", b=len(x))

    def _of_images(
        self, images: Float[Tensor, "image channel row column"]
    ) -> Float[Tensor, "image feature row_ column_"]:
        dtype = next(self.parameters()).dtype
        images = images.to(dtype=dtype, memory_format=torch.channels_last)
        return self.neck(self.trunk(images)).float()


class Classifier(nn.Module, ABC):
    """A network of two parts: features of slice groups, and scores from them.

    Input is (batch, slice, channel, row, column) as `Preparation` makes it; output is one logit
    per label.
    """

    channel_axis = 2  # of the input; slices come before
    features: SliceFeatures
    head: nn.Conv3d | nn.Linear

    @property
    def explained_layer(self) -> nn.Module:
        """The layer whose output is explained."""
        return self.features

    @property
    @abstractmethod
    def cells(self) -> Cells:
        """Where the features' cells lie on a slice, along its rows and likewise its columns."""

    @abstractmethod
    def scores(
        self, features: Float[Tensor, "batch feature slice row column"]
    ) -> Float[Tensor, "batch label"]:
        """Score of each label: the part of the network above the explained layer."""

    @abstractmethod
    def slice_scores(
        self, features: Float[Tensor, "batch feature slice row column"]
    ) -> Float[Tensor, "batch label slice"]:
        """Score of each label on each slice group."""

    def forward(
        self, x: Float[Tensor, "batch slice channel row column"]
    ) -> Float[Tensor, "batch label"]:
        return self.scores(self.features(x))
