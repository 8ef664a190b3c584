"""VGG-16: thirteen convolutions and three fully connected layers, as torchvision names them.

Its maps at the last convolution are not guaranteed: two ReLUs lie above it. Draelos and Carin
chose it for PASCAL VOC because HiResCAM and Grad-CAM differ there (arXiv:2011.08891, section
13). Simonyan and Zisserman, "Very deep convolutional networks", arXiv:1409.1556, table 1, D.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hirescam.models.pretrained import Weights, fetch_weights, fill, read_weights

IMAGENET_VGG16_URL = "https://download.pytorch.org/models/vgg16-397923af.pth"
WIDTHS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""Convolutions between poolings."""


class VGG16(nn.Module):
    """Images of any size of at least 32 pixels to one logit per label.

    `features` ends, as torchvision's does, in a pooling: 1/32 of the image's side.
    """

    def __init__(
        self,
        labels: int = 1000,
        *,
        widths: Sequence[Sequence[int]] = WIDTHS,
        hidden: int = 4096,
        dropout: float = 0.5,
    ):
        super().__init__()
        self.features = vgg_trunk(widths)
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        self.classifier = nn.Sequential(
            nn.Linear(widths[-1][-1] * 7 * 7, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, labels),
        )

    @property
    def explained_layer(self) -> nn.Module:
        """The last layer with places: pooled output of the last convolution."""
        return self.features

    def scores(
        self, features: Float[Tensor, "batch feature row column"]
    ) -> Float[Tensor, "batch label"]:
        """Score of each label: the part of the network above the explained layer."""
        return self.classifier(self.avgpool(features).flatten(1))

    def forward(self, x: Float[Tensor, "batch 3 row column"]) -> Float[Tensor, "batch label"]:
        return self.scores(self.features(x))


def vgg_trunk(widths: Sequence[Sequence[int]] = WIDTHS) -> nn.Sequential:
    """The convolutional part: 3×3 convolutions with ReLU, a pooling after each group."""
    layers: list[nn.Module] = []
    channels = 3
    for group in widths:
        for width in group:
            convolution = nn.Conv2d(channels, width, 3, padding=1)
            nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]  # there is one
            layers += [convolution, nn.ReLU(inplace=True)]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def load_imagenet_vgg16(network: nn.Module, path: Path | None = None) -> None:
    """Fill the convolutions of `network.features` with ImageNet weights.

    They come from `path`, or else from torchvision's address, whose hash is checked. The fully
    connected layers keep their weights, as in the paper: only convolutions were pretrained.
    """
    weights = fetch_weights(IMAGENET_VGG16_URL) if path is None else read_weights(path)
    source = IMAGENET_VGG16_URL if path is None else path.name
    fill(network.features, _convolutions(weights), source)  # type: ignore[arg-type]  # a module


def _convolutions(weights: Weights) -> Weights:
    prefix = "features."
    return {
        name.removeprefix(prefix): value
        for name, value in weights.items()
        if name.startswith(prefix)
    }


def find_imagenet_vgg16(folder: Path) -> Path | None:
    """The file of ImageNet weights in `folder`, or in torch's cache, if either has it."""
    name = Path(IMAGENET_VGG16_URL).name
    candidates = (folder / name, Path(torch.hub.get_dir()) / "checkpoints" / name)
    return next((path for path in candidates if path.exists()), None)
