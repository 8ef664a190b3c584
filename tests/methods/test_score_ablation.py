"""Score-CAM and Ablation-CAM against one run of the network per channel, by hand."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from hirescam.errors import LayerError
from hirescam.methods import ablationcam, hirescam, scorecam
from make_networks import affine_head_2d, built
from make_trunks import trunk_and_images

MODE = {1: "linear", 2: "bilinear", 3: "trilinear"}


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_scorecam_weighs_channels_by_what_they_let_through(dimensions):
    network, x = trunk_and_images(dimensions)
    found = scorecam(network, x, layer=network[4], budget=None)
    for image, maps in zip(x, found, strict=True):
        activation = network[:5](image[None])[0].detach()
        scores = []
        for channel in activation:
            mask = F.interpolate(channel[None, None], x.shape[2:], mode=MODE[dimensions])
            if mask.max() > mask.min():
                mask = (mask - mask.min()) / (mask.max() - mask.min())
            else:
                mask = torch.zeros_like(mask)
            scores.append(network(image[None] * mask)[0])
        weights = torch.stack(scores).softmax(0).detach()
        torch.testing.assert_close(maps, torch.einsum("ct,c...->t...", weights, activation))


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_ablationcam_weighs_channels_by_how_far_the_score_falls_without_them(dimensions):
    network, x = trunk_and_images(dimensions)
    activation = network[:5](x).detach()
    expected = torch.zeros(2, 3, *activation.shape[2:])
    for channel in range(4):
        without = activation.clone()
        without[:, channel] = 0
        fall = (network(x) - network[5:](without)).detach()
        expected += torch.einsum("bt,b...->bt...", fall, activation[:, channel])
    torch.testing.assert_close(ablationcam(network, x, layer=network[4], budget=None), expected)


def test_the_budget_keeps_the_channels_of_most_energy_in_each_image():
    network, x = trunk_and_images()
    activation = network[:5](x).detach()
    best = activation.flatten(2).square().sum(2).argmax(1)
    expected = torch.zeros(2, 3, *activation.shape[2:])
    for image, channel in enumerate(best):
        without = activation[[image]].clone()
        without[:, channel] = 0
        fall = (network(x[[image]]) - network[5:](without))[0].detach()
        expected[image] = fall[:, None, None] * activation[image, channel]
    torch.testing.assert_close(ablationcam(network, x, layer=network[4], budget=1), expected)


def test_a_budget_bounds_the_runs(monkeypatch):
    network, x = trunk_and_images()
    monkeypatch.setattr("hirescam.methods._engine.CHANGED_BYTES", 1)
    runs = []
    network[-1].register_forward_hook(lambda *_: runs.append(1))
    for method in (scorecam, ablationcam):
        runs.clear()
        method(network, x, layer=network[4], budget=3)
        assert len(runs) == 1 + 3


def test_ablation_of_an_affine_head_sums_to_hirescam_per_channel():
    network, layer, x = built(affine_head_2d)
    activation = network[:2](x).detach()
    weight = network[-1].weight.view(3, 4, 36).detach()
    fall = torch.einsum("tcs,bcs->btc", weight, activation.flatten(2))
    torch.testing.assert_close(fall.sum(2), hirescam(network, x, layer=layer).sum((2, 3)))
    torch.testing.assert_close(
        ablationcam(network, x, layer=layer), torch.einsum("btc,bcij->btij", fall, activation)
    )


@pytest.mark.parametrize("method", [scorecam, ablationcam])
def test_the_network_is_left_as_it_was_after_a_failure_half_way(method):
    network, x = trunk_and_images()
    network.train()
    before = [*network.modules()]
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    calls = []

    def fail_later(*_):
        calls.append(1)
        if len(calls) > 1:
            raise RuntimeError("half way")

    handle = network[-1].register_forward_hook(fail_later)
    with pytest.raises(RuntimeError, match="half way"):
        method(network, x, layer=network[4])
    handle.remove()
    assert len(calls) == 3  # once to capture, all copies together, then the first by itself
    assert [*network.modules()] == before
    assert all(module.training for module in network.modules())
    assert not any(module._forward_hooks for module in network.modules())
    assert all(value.equal(weights[name]) for name, value in network.state_dict().items())


def test_scorecam_refuses_a_layer_that_cannot_be_laid_over_the_input():
    network = nn.Sequential(nn.Flatten(2), nn.Conv1d(1, 2, 3), nn.Flatten(), nn.Linear(68, 2))
    with pytest.raises(LayerError, match="cannot be laid over an input"):
        scorecam(network, torch.ones(1, 1, 6, 6), layer=network[1])
