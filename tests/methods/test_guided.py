"""DeconvNet, guided backpropagation and guided Grad-CAM, walked back by hand."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from hirescam.errors import LayerError
from hirescam.methods import (
    KNOWN_FAILURES,
    METHODS,
    deconvnet,
    gradcam,
    guided_backpropagation,
    guided_gradcam,
    signed_gradient,
)
from make_trunks import trunk_and_images

BY_HAND = {
    guided_backpropagation: lambda gradient, before: gradient.clamp(min=0) * (before > 0),
    deconvnet: lambda gradient, before: gradient.clamp(min=0),
}


class Functional(nn.Module):
    """Two layers whose ReLU is called in the way that is asked for."""

    def __init__(self, relu):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 3, 3), nn.Linear(48, 2)
        self.relu = relu

    def forward(self, x):
        return self.second(self.relu(self.first(x)).flatten(1))


def in_place(x):
    x.relu_()
    return x


WAYS = {
    "module": nn.ReLU(),
    "in-place module": nn.ReLU(inplace=True),
    "function": F.relu,
    "torch": torch.relu,
    "method": lambda x: x.relu(),
    "in-place method": in_place,
    "in-place function": lambda x: F.relu(x, inplace=True),
    "ReLU6": nn.ReLU6(),
    "in-place ReLU6": nn.ReLU6(inplace=True),
    "hardtanh from 0": lambda x: F.hardtanh(x, 0, 50),
    "clamp": lambda x: x.clamp(min=0),
    "in-place clamp": lambda x: x.clamp_(0, 50),
    "clamp_min": lambda x: torch.clamp_min(x, 0),
    "clip": lambda x: x.clip(0),
    "threshold": nn.Threshold(0, 0),
    "maximum": lambda x: torch.maximum(torch.zeros(()), x),
    "max": lambda x: torch.max(x, torch.zeros_like(x)),
    "where": lambda x: torch.where(x > 0, x, 0.0),
    "product with the sign": lambda x: x * (x > 0),
}


def seeded(relu):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Functional(relu), torch.randn(2, 1, 6, 6)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", BY_HAND)
def test_every_way_to_call_a_relu_is_walked_back_by_the_rule(method, way):
    network, x = seeded(WAYS[way])
    before = network.first(x).detach()
    after = network.second.weight.view(2, 3, 4, 4)
    for target in range(2):
        gradient = BY_HAND[method](after[target].expand_as(before), before)
        expected = F.conv_transpose2d(gradient, network.first.weight)
        found = method(network, x, targets=target)
        torch.testing.assert_close(found, expected.detach())


@pytest.mark.parametrize("act", [nn.SiLU(), nn.GELU(), nn.Hardtanh(), nn.LeakyReLU(0.1)])
@pytest.mark.parametrize("method", [*BY_HAND, guided_gradcam])
def test_a_network_without_rectifier_is_refused_for_its_map_would_be_the_gradient(method, act):
    network, x = seeded(act)
    with pytest.raises(LayerError, match="no ReLU, ReLU6 or clamp at 0 runs in this network"):
        method(network, x)


def test_a_choice_by_another_sign_and_a_bound_that_is_not_0_are_no_rectifiers():
    for act in (lambda x: torch.where(x > 1, x, 0.0), lambda x: x.clamp(min=-1)):
        with pytest.raises(LayerError, match="no ReLU"):
            guided_backpropagation(*seeded(act))


@pytest.mark.parametrize("method", BY_HAND)
@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_the_scores_and_later_gradients_are_those_of_the_network(method, dimensions):
    network, x = trunk_and_images(dimensions)
    scores, gradient = network(x), signed_gradient(network, x)
    maps = method(network, x)
    assert maps.shape == (2, 3, *x.shape[2:])
    assert (maps - gradient).abs().max() > 1e-3
    assert network(x).equal(scores)
    assert signed_gradient(network, x).equal(gradient)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_guided_gradcam_is_guided_backpropagation_times_positive_gradcam(dimensions):
    network, x = trunk_and_images(dimensions)
    layer = network[4]
    mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[dimensions]
    coarse = F.interpolate(
        gradcam(network, x, layer=layer).clamp(min=0), x.shape[2:], mode=mode
    )
    expected = guided_backpropagation(network, x) * coarse
    torch.testing.assert_close(guided_gradcam(network, x, layer=layer), expected)


def test_a_layer_with_other_axes_than_the_input_cannot_be_laid_over_it():
    network = nn.Sequential(
        nn.Flatten(2), nn.Conv1d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(68, 2)
    )
    with pytest.raises(LayerError, match="1 axes of space cannot be laid over"):
        guided_gradcam(network, torch.ones(1, 1, 6, 6), layer=network[1])


def test_torchscript_is_refused():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(32, 2))
    with pytest.warns(DeprecationWarning, match="torch.jit.script"):
        network[0] = torch.jit.script(network[0])
    with pytest.raises(LayerError, match="'0' is TorchScript"):
        guided_backpropagation(network, torch.ones(1, 1, 6, 6))


def test_known_failures_are_told_of_methods_that_exist():
    assert set(KNOWN_FAILURES) == {
        "deconvnet",
        "guided_backpropagation",
        "guided_gradcam",
        "lrp",
    }
    assert set(KNOWN_FAILURES) < set(METHODS)
    assert all("Known failure" in METHODS[name].__doc__ for name in KNOWN_FAILURES)


def correlation(one, other):
    return torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1]


def test_guided_backpropagation_notices_a_random_head_less_than_the_gradient_does():
    def network(head):
        with torch.random.fork_rng():
            torch.manual_seed(3)
            trunk = [nn.Conv2d(1, 16, 3, padding=1), nn.ReLU()]
            for _ in range(4):
                trunk += [nn.Conv2d(16, 16, 3, padding=1), nn.ReLU()]
            torch.manual_seed(head)
            return nn.Sequential(*trunk, nn.Flatten(), nn.Linear(16 * 144, 1))

    x = torch.rand(1, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    change = {
        method: correlation(method(network(10), x), method(network(11), x))
        for method in (guided_backpropagation, signed_gradient)
    }
    assert change[guided_backpropagation] > change[signed_gradient] + 0.1
