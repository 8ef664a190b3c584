"""Merlin: a ResNet-152 inflated to 3D, average pooling, one 1×1×1 convolution to its labels.

Blankemeier et al., "Merlin: a vision language foundation model for 3D computed tomography",
arXiv:2406.06512 (weights and code: Stanford, MIT licence). Parameters have the names of the
published checkpoints. The published network takes (x, y, z) and turns its input to (z, x, y)
itself; this one takes that from its preparation, so that its maps lie as its input does.

Above the last layer there is only pooling and a linear layer: HiResCAM of it is exact, and all
its 1,692 maps cost one forward pass.
"""

from jaxtyping import Float
from torch import Tensor, nn

from hirescam.ct.preparation import Preparation

PHENOTYPES = 1692
PREPARATION = Preparation(
    spacing_mm=(3.0, 1.5, 1.5),
    shape=(160, 224, 224),
    window_hu=(-1000.0, 1000.0),
    mean=0.0,
    group=1,
    orientation="SRA",
    interpolation="trilinear",
    fit="monai",
    channels=3,
)
"""As published: RAS, 1.5 × 1.5 × 3 mm, 224 × 224 × 160, −1000 … 1000 HU to 0 … 1."""


class MerlinBlock(nn.Module):
    """A 3×3×3 convolution between two of 1×1×1, beside an identity or a 1×1×1 convolution."""

    def __init__(self, channels: int, width: int, stride: int):
        super().__init__()
        out = 4 * width
        self.conv1 = nn.Conv3d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm3d(width)
        self.conv2 = nn.Conv3d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm3d(width)
        self.conv3 = nn.Conv3d(width, out, 1, bias=False)
        self.bn3 = nn.BatchNorm3d(out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        if stride != 1 or channels != out:
            self.downsample = nn.Sequential(
                nn.Conv3d(channels, out, 1, stride, bias=False), nn.BatchNorm3d(out)
            )

    def forward(
        self, x: Float[Tensor, "batch channel slice row column"]
    ) -> Float[Tensor, "batch out slice_ row_ column_"]:
        kept = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        return self.relu(self.bn3(self.conv3(x)) + kept)


class Merlin(nn.Module):
    """The image encoder and its head for `classes` labels; `blocks` of ResNet-152."""

    def __init__(
        self, classes: int = PHENOTYPES, blocks: tuple[int, int, int, int] = (3, 8, 36, 3)
    ):
        super().__init__()
        self.conv1 = nn.Conv3d(3, 64, (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False)
        self.bn1 = nn.BatchNorm3d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool3d(3, 2, 1)
        before = 64
        for number, depth in enumerate(blocks):
            width = 64 * 2**number
            stage = []
            for place in range(depth):
                stride = 2 if number and not place else 1
                stage.append(MerlinBlock(before, width, stride))
                before = 4 * width
            self.add_module(f"layer{number + 1}", nn.Sequential(*stage))
        self.avgpool = nn.AdaptiveAvgPool3d(1)
        self.classifier = nn.Conv3d(before, classes, 1)
        self.contrastive_head = nn.Conv3d(before, 512, 1)  # of the checkpoints; not run here

    @property
    def explained_layer(self) -> nn.Module:
        """The last layer with places."""
        return self.get_submodule("layer4")

    def forward(
        self, x: Float[Tensor, "batch 3 slice row column"]
    ) -> Float[Tensor, "batch label"]:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for number in range(1, 5):
            x = self.get_submodule(f"layer{number}")(x)
        return self.classifier(self.avgpool(x)).flatten(1)


def phenotypes() -> Merlin:
    """Merlin with its head for 1,692 phenotypes."""
    return Merlin(PHENOTYPES)


def five_year() -> Merlin:
    """Merlin with its head for six diseases within five years."""
    return Merlin(6)
