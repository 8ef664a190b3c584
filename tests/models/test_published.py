"""The paper's networks, restated layer by layer with plain functions, and their sizes."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from hirescam.models.axialnet import AxialNet
from hirescam.models.bodycam import BodyCAM
from hirescam.models.bodyconv import BodyConv
from hirescam.models.conv3d import Conv3DNet
from hirescam.models.ctnet import CTNet
from make_classifiers import classifier_model, scan_input

TRUNK = 11_176_512
PARAMETERS = {
    "AxialNet": (AxialNet, {}, 11_543_056, 46_160),
    "MaxPool": (AxialNet, {"pool": "max"}, 11_543_056, 46_160),
    "NoCustomConv": (AxialNet, {"neck": ()}, 19_204_752, 8_028_240),
    "BodyCAM": (BodyCAM, {}, 11_498_256, 1_360),
    "CTNet": (CTNet, {}, 12_413_216, 941_872),
    "BodyConv": (BodyConv, {}, 12_399_072, 276_272),
    "3DConv": (Conv3DNet, {}, 5_765_744, 1_044_272),
}
CELLS = {
    "AxialNet": (135, 6, 6),
    "MaxPool": (135, 6, 6),
    "NoCustomConv": (135, 14, 14),
    "BodyCAM": (135, 6, 6),
    "CTNet": (135, 14, 14),
    "BodyConv": (5, 5, 5),
    "3DConv": (5, 5, 5),
}


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_paper_s_networks_have_the_paper_s_sizes(name):
    make, arguments, whole, head = PARAMETERS[name]
    with torch.device("meta"):
        network = make(**arguments)
    assert parameters(network) == whole
    assert parameters(network.head) == head
    assert (network.trunk is None) == (name == "3DConv")
    assert network.trunk is None or parameters(network.trunk) == TRUNK
    assert network.map_shape(135) == CELLS[name]


def test_ct_net_s_convolutions_leave_the_published_cells():
    with torch.device("meta"):
        network = CTNet()
        x, seen = torch.empty(1, 135, 512, 14, 14), []
        for layer in network.neck:
            x = layer(x)
            seen.append(tuple(x.shape[1:]))
    assert seen[1::2] == [(64, 170, 12, 12), (32, 56, 10, 10), (16, 18, 5, 5)]
    assert parameters(network.neck) == 294_832


def test_3d_conv_leaves_the_published_cells():
    with torch.device("meta"):
        network = Conv3DNet()
        x, seen = torch.empty(1, 1, 405, 420, 420), []
        for layer in network.features.layers:
            x = layer(x)
            seen.append(tuple(x.shape[1:]))
    assert seen[1::2] == [
        (64, 135, 140, 140),
        (128, 45, 46, 46),
        (256, 15, 15, 15),
        (512, 5, 5, 5),
        (128, 5, 5, 5),
        (64, 5, 5, 5),
    ]


def test_cells_of_the_whole_body_networks_lie_where_the_layers_look():
    with torch.device("meta"):
        along, rows, _ = BodyConv().cells(135)
        slices, in_plane, _ = Conv3DNet().cells(135)
    assert along.centres.tolist() == [
        40,
        121,
        202,
        283,
        364,
    ]  # 13 groups of three, then 27 each
    assert rows.centres.tolist() == [80, 144, 208, 272, 336]  # a half-cell between the trunk's
    assert slices.centres.tolist() == in_plane.centres.tolist() == [40, 121, 202, 283, 364]


def convolved(x, layers):
    """Each convolution of `layers` followed by a ReLU."""
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            x = F.relu(F.conv2d(x, layer.weight, layer.bias))
        elif isinstance(layer, nn.Conv3d):
            x = F.relu(F.conv3d(x, layer.weight, layer.bias, layer.stride))
    return x


def connected(x, layers):
    """Linear layers, a ReLU between two; dropout does nothing in evaluation."""
    *hidden, last = (layer for layer in layers if isinstance(layer, nn.Linear))
    for layer in hidden:
        x = F.relu(x @ layer.weight.T + layer.bias)
    return x @ last.weight.T + last.bias


def axialnet_slices(network, scan):
    z = convolved(network.trunk(scan), network.features.neck)
    kernel = network.head.weight[:, :, 0]
    return torch.stack([(kernel * each).sum((1, 2, 3)) for each in z]) + network.head.bias


def bodycam(network, scan):
    z = convolved(network.trunk(scan), network.features.neck)
    pooled = torch.stack([z[:, feature].mean() for feature in range(z.shape[1])])
    return network.head.weight @ pooled + network.head.bias


def ctnet(network, scan):
    slices_as_channels = network.trunk(scan)[None]
    return connected(convolved(slices_as_channels, network.neck).reshape(-1), network.head)


def bodyconv(network, scan):
    features_as_channels = network.trunk(scan).transpose(0, 1)[None]
    z = convolved(features_as_channels, network.features[1])
    return connected(z.reshape(-1), network.head)


def conv3d(network, scan):
    volume = scan.reshape(1, 1, -1, *scan.shape[2:])
    z = convolved(volume, network.features.layers)
    assert [layer.stride for layer in network.features.layers[::2]][:3] == [(3, 3, 3)] * 3
    return connected(z.reshape(-1), network.head)


RESTATED = {
    "AxialNet": lambda *given: axialnet_slices(*given).mean(0),
    "MaxPool": lambda *given: axialnet_slices(*given).max(0).values,
    "NoCustomConv": lambda *given: axialnet_slices(*given).mean(0),
    "BodyCAM": bodycam,
    "CTNet": ctnet,
    "BodyConv": bodyconv,
    "3DConv": conv3d,
}


@pytest.mark.parametrize("name", RESTATED)
def test_the_forward_pass_is_the_published_one(name):
    network, x = classifier_model(name).network, scan_input()
    restated = RESTATED[name](network, x[0])
    torch.testing.assert_close(network(x)[0], restated, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["CTNet", "BodyConv", "3DConv"])
def test_dropout_is_the_published_one(name):
    rates = {m.p for m in classifier_model(name).network.head if isinstance(m, nn.Dropout)}
    assert rates == {0.1 if name == "3DConv" else 0.5}
