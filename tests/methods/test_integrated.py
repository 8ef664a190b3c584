"""Integrated gradients: complete, and the integral that the paper writes."""

import pytest
import torch
from torch import nn

from hirescam.methods import completeness_gap, hirescam, integrated_gradients
from make_networks import affine_head_2d, built
from make_trunks import ADAPTIVE, CONV


def smooth(dimensions=2):
    """A network without kinks, where few steps are exact; its layer above the kinks; images."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(
            CONV[dimensions](2, 4, 3),
            nn.Softplus(),
            CONV[dimensions](4, 4, 3),
            nn.Tanh(),
            ADAPTIVE[dimensions](1),
            nn.Flatten(),
            nn.Linear(4, 3),
        )
        return network, network[1], torch.randn(2, 2, *[6] * dimensions)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_maps_add_up_to_the_rise_of_the_score_from_the_baseline(dimensions):
    network, _, x = smooth(dimensions)
    maps = integrated_gradients(network, x, baseline=0.1, n_steps=8)
    rise = network(x) - network(torch.full_like(x, 0.1))
    assert maps.shape == (2, 3, *x.shape[2:])
    torch.testing.assert_close(maps.flatten(2).sum(2), rise, atol=1e-5, rtol=1e-4)


def test_one_step_leaves_a_gap_that_eight_close():
    network, _, x = smooth()
    one, eight = (
        completeness_gap(integrated_gradients(network, x, n_steps=steps), network, x)
        for steps in (1, 8)
    )
    assert eight.abs().max() < 1e-5 < one.abs().max() / 10


def test_the_gap_is_what_is_missing_from_the_sum():
    network, _, x = smooth()
    maps = integrated_gradients(network, x, baseline=1.0, targets=[2, 0], n_steps=1)
    rise = (network(x) - network(torch.ones_like(x)))[:, [2, 0]]
    found = completeness_gap(maps, network, x, baseline=1.0, targets=[2, 0])
    torch.testing.assert_close(found, (maps.flatten(2).sum(2) - rise).detach())


def test_it_is_the_integral_of_gradients_along_the_way():
    network, _, x = smooth()
    baseline = torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    slow = torch.zeros(2, 3, 2, 6, 6)
    steps = 200
    for step in range(steps):
        point = baseline + (step + 0.5) / steps * (x - baseline)
        point.requires_grad_()
        scores = network(point)
        for target in range(3):
            total = scores[:, target].sum()
            (gradient,) = torch.autograd.grad(total, point, retain_graph=True)
            slow[:, target] += gradient * (x - baseline) / steps
    found = integrated_gradients(network, x, baseline=baseline, n_steps=8, per_channel=True)
    torch.testing.assert_close(found, slow, atol=1e-5, rtol=1e-3)


def test_above_a_layer_that_feeds_an_affine_head_it_is_hirescam():
    network, layer, x = built(affine_head_2d)
    torch.testing.assert_close(
        integrated_gradients(network, x, layer=layer, n_steps=2),
        hirescam(network, x, layer=layer),
    )


def test_the_way_may_run_through_a_layer():
    network, layer, x = smooth()
    maps = integrated_gradients(network, x, layer=layer, n_steps=8)
    start = torch.zeros_like(network[:2](x))
    rise = (network(x) - network[2:](start)).detach()
    torch.testing.assert_close(maps.flatten(2).sum(2), rise, atol=1e-5, rtol=1e-4)
    assert completeness_gap(maps, network, x, layer=layer).abs().max() < 1e-5


def test_it_explains_what_was_predicted_at_the_input_all_the_way():
    network, _, x = smooth()
    with torch.no_grad():
        network[-1].bias -= network(x).mean(0)
    best = network(x).argmax(1)
    assert best[0] != best[1]  # so one of them is not what the baseline predicts
    torch.testing.assert_close(
        integrated_gradients(network, x, targets="predicted", n_steps=4)[:, 0],
        integrated_gradients(network, x, n_steps=4)[torch.arange(2), best],
    )
