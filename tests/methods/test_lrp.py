"""ε-LRP: relevance is conserved, and what the rule hands down step by step."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from hirescam.errors import LayerError
from hirescam.methods import hirescam, input_times_gradient, lrp
from make_networks import affine_head_2d, built
from make_trunks import CONV, MAXPOOL, trunk_and_images


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_relevance_is_conserved_without_biases(dimensions):
    network, x = trunk_and_images(dimensions, bias=False)
    maps = lrp(network, x, epsilon=1e-9)
    torch.testing.assert_close(maps.flatten(2).sum(2), network(x).detach())


def test_a_large_epsilon_takes_relevance():
    network, x = trunk_and_images(bias=False)
    kept = lrp(network, x, epsilon=1.0).flatten(2).sum(2).abs()
    assert (kept < 0.9 * network(x).abs()).all()


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("epsilon", [1e-6, 0.1])
def test_it_is_the_rule_of_the_paper_walked_back_layer_by_layer(dimensions, epsilon):
    """Every layer's relevance: input times the transposed layer of relevance / (z ± ε)."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        layers = [
            CONV[dimensions](2, 4, 3, padding=1),
            nn.ReLU(),
            MAXPOOL[dimensions](2),
            CONV[dimensions](4, 4, 3, stride=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(4 * 1**dimensions, 3),
        ]
        x = torch.randn(2, 2, *[6] * dimensions)
    network = nn.Sequential(*layers).double()
    x = x.double()
    inputs = [x]
    for layer in layers:
        inputs.append(layer(inputs[-1]).detach())
    for target in range(3):
        relevance = torch.zeros_like(inputs[-1])
        relevance[:, target] = inputs[-1][:, target]
        for layer, before in reversed(list(zip(layers, inputs[:-1], strict=True))):
            before = before.clone().requires_grad_()
            z = layer(before)
            if isinstance(layer, nn.ReLU):
                continue
            if isinstance(layer, nn.Flatten):
                relevance = relevance.view(before.shape)
                continue
            if isinstance(layer, MAXPOOL[dimensions]):
                (relevance,) = torch.autograd.grad(z, before, relevance)
                continue
            shared = relevance / (z + epsilon * z.sign()).detach()
            (passed,) = torch.autograd.grad(z, before, shared)
            relevance = (before * passed).detach()
        found = lrp(network, x, targets=target, epsilon=epsilon, per_channel=True)
        torch.testing.assert_close(found[:, 0], relevance)


def test_batch_norm_gives_what_the_folded_convolution_gives():
    with torch.random.fork_rng():
        torch.manual_seed(2)
        conv, norm = nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3)
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
        head = nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(48, 2))
        x = torch.randn(2, 2, 6, 6)
    network = nn.Sequential(conv, norm, *head).eval()
    folded = nn.utils.fusion.fuse_conv_bn_eval(conv.eval(), norm.eval())
    torch.testing.assert_close(
        lrp(network, x), lrp(nn.Sequential(folded, *head), x), atol=1e-5, rtol=1e-4
    )


def test_a_residual_sum_shares_relevance_among_its_terms():
    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(4, 1, bias=False)

        def forward(self, x):
            doubled = x + x
            doubled += x
            return self.head(doubled.flatten(1))

    network, x = Sum(), torch.tensor([[[1.0, 2, 3, 4]]])
    torch.testing.assert_close(
        lrp(network, x, epsilon=0.0)[0, 0], (3 * x[0, 0] * network.head.weight[0]).detach()
    )


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_for_a_small_epsilon_it_is_input_times_gradient(dimensions):
    network, x = trunk_and_images(dimensions)
    torch.testing.assert_close(
        lrp(network, x, epsilon=1e-9), input_times_gradient(network, x), atol=1e-5, rtol=1e-4
    )


def test_relevance_of_a_layer_below_an_affine_head_is_hirescam():
    network, layer, x = built(affine_head_2d)
    torch.testing.assert_close(
        lrp(network, x, layer=layer, epsilon=1e-9), hirescam(network, x, layer=layer)
    )


def test_functions_are_handed_through_as_modules_are():
    class Functional(nn.Module):
        def __init__(self, conv, linear):
            super().__init__()
            self.conv, self.linear = conv, linear

        def forward(self, x):
            x = F.max_pool2d(F.relu(self.conv(x)), 2)
            return self.linear(x.mean(dim=(2, 3)))

    with torch.random.fork_rng():
        torch.manual_seed(0)
        conv, linear, x = nn.Conv2d(1, 3, 3), nn.Linear(3, 2), torch.randn(2, 1, 6, 6)
    modules = nn.Sequential(
        conv, nn.ReLU(), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear
    )
    torch.testing.assert_close(
        lrp(Functional(conv, linear), x, epsilon=0.1), lrp(modules, x, epsilon=0.1)
    )


class Gated(nn.Module):
    """A product of two branches, as in squeeze-and-excitation."""

    def __init__(self):
        super().__init__()
        self.conv, self.gate = nn.Conv2d(1, 2, 3), nn.Conv2d(1, 2, 3)
        self.head = nn.Linear(32, 2)

    def forward(self, x):
        return self.head((self.conv(x) * self.gate(x)).flatten(1))


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (nn.Sigmoid(), "no rule for 'sigmoid', called in module '1'"),
        (nn.Softmax(dim=1), "no rule for 'softmax', called in module '1'"),
        (nn.GroupNorm(1, 2), "no rule for 'group_norm', called in module '1'"),
        (nn.BatchNorm2d(2, track_running_stats=False), "no rule for 'batch_norm'"),
    ],
)
def test_a_part_without_a_rule_is_named(part, message):
    network = nn.Sequential(nn.Conv2d(1, 2, 3), part, nn.Flatten(), nn.Linear(32, 2))
    x = torch.rand(2, 1, 6, 6)
    with pytest.raises(LayerError, match=message):
        lrp(network, x)
    assert lrp(network, x, layer=part).shape == (2, 2, 4, 4)  # above it there are rules
    assert not any(module._forward_pre_hooks for module in network.modules())


def test_a_product_of_two_branches_is_refused():
    with pytest.raises(LayerError, match="no rule for 'mul'"):
        lrp(Gated(), torch.rand(1, 1, 6, 6))


def test_a_product_with_a_constant_is_linear():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(36, 2, bias=False)

        def forward(self, x):
            return self.head((2 * x * torch.ones(6) / 4).flatten(1))

    network, x = Scaled(), torch.rand(1, 1, 6, 6)
    torch.testing.assert_close(lrp(network, x).flatten(2).sum(2), network(x).detach())


def test_the_network_computes_the_same_while_relevance_passes():
    network, x = trunk_and_images()
    scores = network(x)
    seen = []
    network[-1].register_forward_hook(lambda *call: seen.append(call[2].detach().clone()))
    lrp(network, x, epsilon=0.5)
    torch.testing.assert_close(seen[-1], scores, atol=0, rtol=0)


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("act", [nn.ReLU6, nn.Hardtanh])
def test_a_rectifier_at_its_bound_hands_relevance_on(act, in_place):
    bounds = {} if act is nn.ReLU6 else {"min_val": 0.0, "max_val": 6.0}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Conv2d(1, 4, 3, bias=False),
            act(inplace=in_place, **bounds),
            nn.Flatten(),
            nn.Linear(64, 2, bias=False),
        )
        x = 40 * torch.randn(2, 1, 6, 6)
    assert (network[0](x) > 6).any(), "some are at the bound"
    maps = lrp(network, x)
    torch.testing.assert_close(maps.sum(dim=(2, 3)), network(x).detach(), rtol=1e-4, atol=1e-4)
