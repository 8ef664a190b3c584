"""What every explanation method promises, on small 2D and 3D networks."""

from functools import partial

import pytest
import torch
from torch import nn

from hirescam.errors import LayerError, TargetError
from hirescam.methods import (
    METHODS,
    ON_INPUT,
    ON_LAYER,
    hirescam,
    integrated_gradients,
    smoothgrad,
)
from make_networks import NETWORKS, affine_head_2d, built, deep_head_3d, pooled_head_2d
from make_trunks import trunk_and_images

CHEAPER = {
    "smoothgrad": partial(smoothgrad, n_samples=2),
    "integrated_gradients": partial(integrated_gradients, n_steps=2),
}
SUITED = {"hirescam": NETWORKS, "gradcam": NETWORKS, "cam": [pooled_head_2d]}
METHODS_AND_CASES = {
    f"{name}-{build.__name__}": (CHEAPER.get(name, method), build)
    for name, method in METHODS.items()
    for build in SUITED.get(name, [affine_head_2d, deep_head_3d])
}


@pytest.fixture(params=METHODS.values(), ids=METHODS.keys())
def any_method(request):
    return request.param


@pytest.fixture(params=METHODS_AND_CASES.values(), ids=METHODS_AND_CASES.keys())
def method_and_case(request):
    return request.param


@pytest.fixture
def method(method_and_case):
    return method_and_case[0]


@pytest.fixture
def case(method_and_case):
    return built(method_and_case[1])


def test_a_map_for_every_label_with_the_space_of_the_layer(method, case):
    network, layer, x = case
    assert method(network, x, layer=layer).shape == (2, 3, *x.shape[2:])


def test_targets_choose_labels(method, case):
    network, layer, x = case
    every = method(network, x, layer=layer)
    torch.testing.assert_close(method(network, x, layer=layer, targets=2), every[:, 2:])
    torch.testing.assert_close(
        method(network, x, layer=layer, targets=[2, 0]), every[:, [2, 0]]
    )


def test_a_batch_gives_the_maps_of_its_images(method, case):
    network, layer, x = case
    alone = torch.cat([method(network, image[None], layer=layer) for image in x])
    torch.testing.assert_close(method(network, x, layer=layer), alone)


def test_labels_do_not_depend_on_how_many_are_computed_together(method, case, monkeypatch):
    network, layer, x = case
    together = method(network, x, layer=layer)
    monkeypatch.setattr("hirescam.methods._engine.GRADIENT_BYTES", 1)
    torch.testing.assert_close(method(network, x, layer=layer), together)


def test_the_network_is_left_as_it_was(method, case):
    network, layer, x = case
    network.train()
    network[0].eval()
    network[0].weight.requires_grad_(False)
    random = torch.get_rng_state()
    method(network, x, layer=layer)
    assert [module.training for module in network] == [False] + [True] * (len(network) - 1)
    assert all(parameter.grad is None for parameter in network.parameters())
    assert [p.requires_grad for p in network.parameters()][:2] == [False, True]
    assert not any(module._forward_hooks for module in network.modules())
    assert torch.equal(random, torch.get_rng_state())


def test_the_network_is_left_as_it_was_after_an_error(any_method):
    network, _, x = built(NETWORKS[0])
    network.train()
    network.append(nn.Linear(99, 1))  # does not fit
    with pytest.raises(RuntimeError):
        any_method(network, x, layer=network[1])
    assert all(module.training for module in network.modules())
    assert not network[1]._forward_hooks
    assert all(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_callers_may_be_in_any_gradient_mode(method, case, mode):
    network, layer, x = case
    expected = method(network, x, layer=layer)
    with mode():
        torch.testing.assert_close(method(network, x.clone(), layer=layer), expected)


def test_frozen_networks_are_explained(method, case):
    network, layer, x = case
    expected = method(network, x, layer=layer)
    network.requires_grad_(False)
    torch.testing.assert_close(method(network, x, layer=layer), expected)


def test_the_layer_may_be_named(method, case):
    network, layer, x = case
    torch.testing.assert_close(method(network, x, layer="1"), method(network, x, layer=layer))


@pytest.mark.parametrize("name", ON_LAYER)
def test_methods_on_a_layer_find_the_last_one_with_space(name):
    network, layer, x = built(pooled_head_2d)
    method = ON_LAYER[name]
    torch.testing.assert_close(method(network, x), method(network, x, layer=layer))


@pytest.mark.parametrize("name", ON_INPUT)
@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_methods_on_the_input_give_its_space(name, dimensions):
    network, x = trunk_and_images(dimensions)
    maps = ON_INPUT[name](network, x, targets=[0, 2])
    assert maps.shape == (2, 2, *x.shape[2:])
    assert maps.isfinite().all()


def test_an_in_place_relu_after_the_layer_does_not_change_what_is_kept():
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(144, 3)
    )
    x = torch.randn(1, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    before = hirescam(network, x, layer=network[0])
    network[1] = nn.ReLU()
    torch.testing.assert_close(before, hirescam(network, x, layer=network[0]))


@pytest.mark.parametrize("targets", [3, -1, [0, 7], []])
def test_a_target_that_the_network_lacks_is_refused(any_method, targets):
    network, layer, x = built(NETWORKS[0])
    with pytest.raises(TargetError, match="the network has 3 scores"):
        any_method(network, x, layer=layer, targets=targets)


def test_a_layer_that_runs_twice_is_refused(any_method):
    shared = nn.Conv2d(1, 1, 3, padding=1)
    network = nn.Sequential(shared, shared, nn.Flatten(), nn.Linear(36, 2))
    with pytest.raises(LayerError, match=r"ran 2 times.*expected exactly 1"):
        any_method(network, torch.zeros(1, 1, 6, 6), layer=shared)


def test_a_layer_without_space_is_refused(any_method):
    network, _, x = built(NETWORKS[0])
    with pytest.raises(LayerError, match=r"'3' returns a tensor of shape \(2, 3\)"):
        any_method(network, x, layer=network[3])


def test_a_layer_of_another_network_is_refused(any_method):
    network, _, x = built(NETWORKS[0])
    with pytest.raises(LayerError, match="not part of the network"):
        any_method(network, x, layer=nn.ReLU())


def test_a_misspelt_layer_is_answered_with_near_names(any_method):
    network = nn.Sequential()
    network.add_module("features", nn.Conv2d(1, 2, 3))
    network.add_module("flatten", nn.Flatten())
    network.add_module("head", nn.Linear(32, 2))
    with pytest.raises(LayerError, match="'feature': did you mean features"):
        any_method(network, torch.zeros(1, 1, 6, 6), layer="feature")


def test_a_layer_that_the_scores_ignore_is_refused(any_method):
    class Ignoring(nn.Module):
        def __init__(self):
            super().__init__()
            self.unused = nn.Conv2d(1, 1, 1)
            self.used = nn.Linear(36, 2)

        def forward(self, x):
            self.unused(x)
            return self.used(x.flatten(1))

    network = Ignoring()
    with pytest.raises(LayerError, match="do not depend on layer 'unused'"):
        any_method(network, torch.zeros(1, 1, 6, 6), layer=network.unused)


def test_scores_of_another_shape_are_refused(any_method):
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
    with pytest.raises(TargetError, match=r"expected scores \(batch, label\)"):
        any_method(network, torch.zeros(1, 1, 6, 6), layer=network[0])
