"""Classifier: what every network of ours offers to whoever runs, explains or trains it."""

from abc import ABC, abstractmethod

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from hirescam.ct.grid import Cells, Window, receptive_cells
from hirescam.errors import ModelError, ShapeError
from hirescam.models.geometry import windows

Features = Float[Tensor, "batch feature slice row column"]

CELL_OFFSET = 3.0
"""What a cell adds to its slice's score where the odds of a lesion there are even."""


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
    """A network of two parts: features with a place in the scan, and scores from them.

    Input is (batch, slice, channel, row, column) as `Preparation` makes it, slices of `side`
    pixels in groups of `channels`; output is one logit per label. A network says more of itself
    where it can: scores of single slices, and maps without a gradient.
    """

    channel_axis = 2  # of the input; slices come before
    grouped = True  # whether the features begin with slice groups, not with single slices
    averages_slices = False  # whether a score is the mean of its slice scores
    side: int
    channels: int
    features: nn.Module
    head: nn.Module

    @property
    def explained_layer(self) -> nn.Module:
        """The layer whose output is explained."""
        return self.features

    @property
    def trunk(self) -> nn.Module | None:
        """The 2D network through which each slice group goes first, if there is one."""
        parts = (part for part in self.features.modules() if isinstance(part, SliceFeatures))
        return next((part.trunk for part in parts), None)

    def cells(self, slices: int) -> tuple[Cells, Cells, Cells]:
        """Where features of so many slice groups lie along the scan's slices, rows, columns."""
        group = self.channels if self.grouped else 1
        along_slices = Window(group, stride=group), *windows(self.features, "slice")
        return (
            receptive_cells(along_slices, slices * self.channels),
            receptive_cells(windows(self.features, "row"), self.side),
            receptive_cells(windows(self.features, "column"), self.side),
        )

    def map_shape(self, slices: int) -> tuple[int, int, int]:
        """How many cells the features of so many slice groups have; counted, not run.

        Raises `ModelError` where none are left.
        """
        left, rows, columns = (axis.count for axis in self.cells(slices))
        if min(left, rows, columns) < 1:
            raise ModelError(
                f"{slices} slice groups of {self.side} pixels are too small for this "
                f"{type(self).__name__}: {left} × {rows} × {columns} cells would be left"
            )
        return left, rows, columns

    @abstractmethod
    def scores(self, features: Features) -> Float[Tensor, "batch label"]:
        """Score of each label: the part of the network above the explained layer."""

    def slice_scores(self, features: Features) -> Float[Tensor, "batch label slice"] | None:
        """Score of each label on each slice group; None of a network that has none."""
        return None

    def label_maps(
        self, features: Features
    ) -> Float[Tensor, "batch label slice row column"] | None:
        """HiResCAM of every label in closed form; None where scores are not affine."""
        return None

    def features_and_cells(
        self, x: Float[Tensor, "batch slice channel row column"]
    ) -> tuple[
        Float[Tensor, "batch feature map_slice map_row map_column"],
        Float[Tensor, "batch label map_slice map_row map_column"] | None,
    ]:
        """Features, and the logit of each cell and label that its lesion lies there.

        A cell loss trains these logits. They are what a cell adds to its slice's score, less
        `CELL_OFFSET`; None where maps are not in closed form.
        """
        features = self.features(x)
        maps = self.label_maps(features)
        return features, None if maps is None else maps * features.shape[2] - CELL_OFFSET

    def forward(
        self, x: Float[Tensor, "batch slice channel row column"]
    ) -> Float[Tensor, "batch label"]:
        features = self.features(x)
        expected = self.map_shape(x.shape[1])
        if tuple(features.shape[2:]) != expected:
            raise ShapeError(
                f"features have {tuple(features.shape[2:])} cells, the layers one after "
                f"another leave {expected} of {self.side} pixels a side: give slices of that "
                f"size, or give a trunk that is not a chain of layers an attribute `windows`"
            )
        return self.scores(features)
