"""What the HiResCAM paper proves, restated (arXiv:2011.08891, section 3)."""

import pytest
import torch
from torch import nn
from torch.func import jacrev

from hirescam.errors import LayerError
from hirescam.methods import audit, gradcam, hirescam
from hirescam.methods.heads import linear_head_maps, single_layer_head
from make_networks import AFFINE, affine_head_2d, built, deep_head_3d, pooled_head_2d


@pytest.mark.parametrize("build", AFFINE)
def test_hirescam_sums_to_the_score_minus_the_bias(build):
    network, layer, x = built(build)
    maps = hirescam(network, x, layer=layer)
    expected = network(x) - network[-1].bias
    torch.testing.assert_close(maps.flatten(2).sum(2), expected)


@pytest.mark.parametrize("build", [*AFFINE, deep_head_3d])
def test_hirescam_is_the_jacobian_times_the_activation(build):
    network, layer, x = built(build)
    below, above = network[:2], network[2:]
    activation = below(x[:1]).detach()
    jacobian = jacrev(lambda a: above(a)[0])(activation)[:, 0]
    expected = (jacobian * activation).sum(1)
    torch.testing.assert_close(hirescam(network, x[:1], layer=layer)[0], expected)


def test_gradcam_equals_hirescam_after_global_average_pooling():
    network, layer, x = built(pooled_head_2d)
    torch.testing.assert_close(
        gradcam(network, x, layer=layer), hirescam(network, x, layer=layer)
    )


def test_gradcam_differs_from_hirescam_after_flattening():
    network, layer, x = built(affine_head_2d)
    difference = gradcam(network, x, layer=layer) - hirescam(network, x, layer=layer)
    assert difference.abs().max() > 0.01


def test_gradcam_is_the_average_gradient_times_the_activation():
    network, layer, x = built(affine_head_2d)
    activation = network[:2](x).detach()
    weights = network[3].weight.view(3, 4, 6, 6).mean((2, 3))
    expected = torch.einsum("tc,bchw->bthw", weights, activation)
    torch.testing.assert_close(gradcam(network, x, layer=layer), expected)


def test_the_last_bias_changes_no_map():
    network, layer, x = built(affine_head_2d)
    before = hirescam(network, x, layer=layer)
    with torch.no_grad():
        network[-1].bias += 100
    torch.testing.assert_close(hirescam(network, x, layer=layer), before)


@pytest.mark.parametrize("build", AFFINE)
def test_the_closed_form_of_a_linear_head_is_hirescam(build):
    network, layer, x = built(build)
    features = network[:2](x)
    maps = linear_head_maps(features, network[-1].weight)
    torch.testing.assert_close(maps, hirescam(network, x, layer=layer))


@pytest.mark.parametrize("kernel", [(6, 6), (1, 6)])
def test_the_closed_form_of_a_full_size_convolution_is_hirescam(kernel):
    features = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU())
    head = nn.Conv2d(4, 3, kernel)
    network = nn.Sequential(features, head, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    x = torch.randn(2, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    maps = linear_head_maps(features(x), head.weight)
    torch.testing.assert_close(maps, hirescam(network, x, layer=features))


def test_a_head_that_does_not_fit_is_refused():
    with pytest.raises(
        LayerError, match=r"weight \(3, 7\) does not fit features of 4 channels"
    ):
        linear_head_maps(torch.ones(2, 4, 6, 6), torch.ones(3, 7))


@pytest.mark.parametrize("extra", [(), (5, 2)])
def test_a_single_layer_head_makes_any_trunk_exact(extra):
    trunk = nn.Sequential(nn.Conv3d(1, 4, 3), nn.ReLU())
    network = single_layer_head(trunk, 4, (4, 4, 4), labels=3, extra=extra)
    x = torch.randn(2, 1, 6, 6, 6, generator=torch.Generator().manual_seed(0))
    assert audit(network, x).holds_for("hirescam")
    maps = linear_head_maps(network.features(x), network.head.weight)
    torch.testing.assert_close(maps, hirescam(network, x))
