"""Networks in two parts: features of a photograph's places, and the scores made of them.

`flattened` and `pooled` have one layer above the features, so their HiResCAM is guaranteed, and
under global pooling Grad-CAM is the same map. Above VGG-16's there are three.
"""

from jaxtyping import Float
from torch import Tensor, nn

from hirescam.errors import LayerError
from hirescam.methods.heads import linear_head_maps
from hirescam.models.vgg import VGG16

Features = Float[Tensor, "batch feature row column"]


class TwoParts(nn.Module):
    """The explained features, and all that lies above them."""

    def __init__(self, features: nn.Module, *above: nn.Module):
        super().__init__()
        self.features = features
        self.above = nn.Sequential(*above)

    @property
    def explained_layer(self) -> nn.Module:
        """The layer whose output is explained."""
        return self.features

    def label_maps(self, features: Features) -> Float[Tensor, "batch label row column"]:
        """HiResCAM of every label in closed form, differentiable: for a mask loss.

        Raises `LayerError` where more than one layer lies above the features.
        """
        *joins, head = self.above
        joined = all(isinstance(join, nn.Flatten | nn.AdaptiveAvgPool2d) for join in joins)
        if not joined or not isinstance(head, nn.Linear):
            raise LayerError(
                "more than one layer lies above the features, so no map tells what the network "
                "uses, and no loss on maps can reach it: put one linear layer on flattened or "
                "averaged features"
            )
        return linear_head_maps(features, head.weight)

    def forward(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch label"]:
        return self.above(self.features(x))


def flattened(trunk: nn.Module, channels: int, cells: int, labels: int) -> TwoParts:
    """One fully connected layer on the features of all cells × cells places."""
    return TwoParts(trunk, nn.Flatten(), nn.Linear(channels * cells**2, labels))


def pooled(trunk: nn.Module, channels: int, labels: int) -> TwoParts:
    """One fully connected layer on the features' mean: the CAM architecture."""
    return TwoParts(trunk, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, labels))


def vgg16(network: VGG16) -> TwoParts:
    """A VGG-16, with which this shares its weights."""
    return TwoParts(network.features, network.avgpool, nn.Flatten(), network.classifier)
