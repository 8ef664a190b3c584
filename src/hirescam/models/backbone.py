"""ResNet trunks: images to feature maps, with torchvision's parameter names.

So an ImageNet state dict loads as it is, without torchvision. He et al., "Deep residual
learning for image recognition", CVPR 2016.
"""

from collections.abc import Sequence
from pathlib import Path

from jaxtyping import Float
from torch import Tensor, nn

from hirescam.ct.grid import Window
from hirescam.models.pretrained import fetch_weights, fill, read_weights

IMAGENET_RESNET18_URL = "https://download.pytorch.org/models/resnet18-f37072fd.pth"


class BasicBlock(nn.Module):
    """Two 3×3 convolutions beside an identity, or a 1×1 convolution where the size changes."""

    expansion = 1

    def __init__(self, channels: int, width: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample: nn.Module | None = None
        if stride != 1 or channels != width:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width)
            )

    def forward(
        self, x: Float[Tensor, "image channel row column"]
    ) -> Float[Tensor, "image width row_ column_"]:
        kept = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(out)).add_(kept))


class Bottleneck(nn.Module):
    """A 3×3 convolution between two of 1×1, the last of them to four times the width."""

    expansion = 4

    def __init__(self, channels: int, width: int, stride: int):
        super().__init__()
        out = width * self.expansion
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        if stride != 1 or channels != out:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out)
            )

    def forward(
        self, x: Float[Tensor, "image channel row column"]
    ) -> Float[Tensor, "image width row_ column_"]:
        kept = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        return self.relu(self.bn3(self.conv3(out)).add_(kept))


class Trunk(nn.Module):
    """What is asked of a network that makes feature maps of images.

    One whose layers do not run one after another says in `windows` what its cells see.
    """

    out_channels: int
    windows: Sequence[Window] | None = None


class ResNetTrunk(Trunk):
    """A ResNet without its pooling and its classifier.

    The defaults are ResNet-18: 3 channels in, 512 out, one cell every 32 pixels.
    """

    def __init__(
        self,
        widths: tuple[int, ...] = (64, 128, 256, 512),
        blocks: tuple[int, ...] = (2, 2, 2, 2),
        channels: int = 3,
        block: type[BasicBlock | Bottleneck] = BasicBlock,
    ):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, widths[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.out_channels = widths[-1] * block.expansion
        before = widths[0]
        for number, (width, depth) in enumerate(zip(widths, blocks, strict=True), start=1):
            first = block(before, width, stride=1 if number == 1 else 2)
            before = width * block.expansion
            rest = (block(before, width, stride=1) for _ in range(depth - 1))
            self.add_module(f"layer{number}", nn.Sequential(first, *rest))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(
        self, x: Float[Tensor, "image channel row column"]
    ) -> Float[Tensor, "image feature row_ column_"]:
        for stage in self.children():
            x = stage(x)
        return x


def load_imagenet(trunk: ResNetTrunk, path: str | Path | None = None) -> None:
    """Fill a ResNet-18 trunk with ImageNet weights, from `path` or else from torchvision's URL.

    The download is checked against the hash in its name. Files are read as tensors only: no
    code in them can run.
    """
    weights = fetch_weights(IMAGENET_RESNET18_URL) if path is None else read_weights(Path(path))
    kept = {name: value for name, value in weights.items() if not name.startswith("fc.")}
    fill(trunk, kept, IMAGENET_RESNET18_URL if path is None else Path(path).name)
