"""The Grad-CAM family against the formulas of their papers, written out in slow steps."""

import pytest
import torch
from torch import nn

from hirescam.errors import LayerError
from hirescam.methods import (
    cam,
    eigencam,
    gradcam_plus_plus,
    gradient_times_activation,
    hirescam,
    layercam,
    xgradcam,
)
from make_networks import affine_head_2d, built, deep_head_3d, pooled_head_2d
from make_trunks import trunk_and_images


def activation_and_gradients(network, split, image):
    """One image's (channel, *space) at a layer and its gradient for each score, one by one."""
    activation = network[:split](image[None]).detach().requires_grad_()
    scores = network[split:](activation.clone())[0]
    gradients = [
        torch.autograd.grad(score, activation, retain_graph=True)[0][0] for score in scores
    ]
    return activation.detach()[0], gradients


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_gradcam_plus_plus_is_the_papers_formula(dimensions):
    network, x = trunk_and_images(dimensions)
    network, x = network.double(), x.double()
    maps = gradcam_plus_plus(network, x, layer=network[3])
    for image, found in zip(x, maps, strict=True):
        activation, gradients = activation_and_gradients(network, 4, image)
        for gradient, one in zip(gradients, found, strict=True):
            expected = torch.zeros_like(one)
            for a, g in zip(activation, gradient, strict=True):
                alpha = g**2 / (2 * g**2 + a.sum() * g**3 + 1e-30)
                expected += (alpha * g.relu()).sum() * a
            torch.testing.assert_close(one, expected)


def test_gradcam_plus_plus_is_finite_at_a_score_of_430():
    network, layer, x = built(affine_head_2d)
    with torch.no_grad():
        network[-1].bias += 430
    plain = gradcam_plus_plus(network, x, layer=layer)
    assert network(x).min() > 400
    assert plain.isfinite().all()
    with torch.no_grad():
        network[-1].bias -= 430
    torch.testing.assert_close(gradcam_plus_plus(network, x, layer=layer), plain)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_xgradcam_is_the_papers_formula(dimensions):
    network, x = trunk_and_images(dimensions)
    maps = xgradcam(network, x, layer=network[3])
    for image, found in zip(x, maps, strict=True):
        activation, gradients = activation_and_gradients(network, 4, image)
        for gradient, one in zip(gradients, found, strict=True):
            alive = [(g, a) for g, a in zip(gradient, activation, strict=True) if a.any()]
            expected = sum((g * a / a.sum()).sum() * a for g, a in alive)
            torch.testing.assert_close(one, expected)


@pytest.mark.parametrize("build", [affine_head_2d, deep_head_3d])
def test_xgradcam_has_the_sum_of_hirescam(build):
    network, layer, x = built(build)
    torch.testing.assert_close(
        xgradcam(network, x, layer=layer).flatten(2).sum(2),
        hirescam(network, x, layer=layer).flatten(2).sum(2),
    )


def test_a_channel_that_is_zero_everywhere_makes_no_map_infinite():
    network, layer, x = built(affine_head_2d)
    with torch.no_grad():
        network[0].bias.fill_(-100)
    for method in (xgradcam, gradcam_plus_plus, layercam, eigencam):
        assert not method(network, x, layer=layer).any()


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_layercam_is_positive_gradient_times_activation(dimensions):
    network, x = trunk_and_images(dimensions)
    maps = layercam(network, x, layer=network[3])
    for image, found in zip(x, maps, strict=True):
        activation, gradients = activation_and_gradients(network, 4, image)
        for gradient, one in zip(gradients, found, strict=True):
            torch.testing.assert_close(one, (gradient.clamp(min=0) * activation).sum(0))


def test_channels_that_stay_apart_add_up_to_hirescam():
    network, layer, x = built(deep_head_3d)
    apart = gradient_times_activation(network, x, layer=layer, per_channel=True)
    assert apart.shape == (2, 3, 4, 4, 4, 4)
    torch.testing.assert_close(apart.sum(2), hirescam(network, x, layer=layer))


def test_cam_is_the_last_layers_weights_times_the_feature_map():
    network, layer, x = built(pooled_head_2d)
    expected = torch.einsum("tc,bchw->bthw", network[-1].weight, network[:2](x)).detach()
    torch.testing.assert_close(cam(network, x, layer=layer), expected)


def test_cam_averages_to_the_score_minus_the_bias():
    network, layer, x = built(pooled_head_2d)
    torch.testing.assert_close(
        cam(network, x, layer=layer).flatten(2).mean(2), network(x) - network[-1].bias
    )


@pytest.mark.parametrize("build", [affine_head_2d, deep_head_3d])
def test_cam_refuses_networks_not_built_for_it(build):
    network, layer, x = built(build)
    with pytest.raises(LayerError, match="use hirescam"):
        cam(network, x, layer=layer)


def test_eigencam_is_the_projection_on_the_first_principal_direction():
    network, layer, x = built(affine_head_2d)
    flat = network[:2](x[:1])[0].detach().flatten(1).double()
    values, vectors = torch.linalg.eigh(flat @ flat.T)
    expected = vectors[:, values.argmax()] @ flat
    expected = (expected * expected.sum().sign()).view(6, 6).float()
    found = eigencam(network, x, layer=layer)[0]
    torch.testing.assert_close(found, expected.expand(3, 6, 6))


def test_no_map_of_the_family_is_clipped_or_scaled():
    network, layer, x = built(affine_head_2d)
    with torch.no_grad():
        network[-1].weight.neg_()
    for method in (xgradcam, gradient_times_activation):
        maps = method(network, x, layer=layer)
        with torch.no_grad():
            network[-1].weight.neg_()
        torch.testing.assert_close(method(network, x, layer=layer), -maps)
        with torch.no_grad():
            network[-1].weight.neg_()


def test_a_half_precision_network_gives_half_precision_maps():
    network, layer, x = built(affine_head_2d)
    network.to(torch.bfloat16)
    for method in (gradcam_plus_plus, xgradcam, layercam, eigencam):
        maps = method(network, x.to(torch.bfloat16), layer=layer)
        assert maps.dtype == torch.bfloat16
        assert maps.isfinite().all()


def test_every_method_of_the_family_treats_one_place():
    network = nn.Sequential(nn.Conv2d(1, 2, 6), nn.ReLU(), nn.Flatten(), nn.Linear(2, 3))
    x = torch.ones(1, 1, 6, 6)
    for method in (gradcam_plus_plus, xgradcam, layercam, cam, eigencam):
        assert method(network, x, layer=network[1]).shape == (1, 3, 1, 1)
