"""What the HiResCAM paper proves, restated (arXiv:2011.08891, section 3)."""

import pytest
import torch
from torch.func import jacrev

from hirescam.methods import gradcam, hirescam
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
