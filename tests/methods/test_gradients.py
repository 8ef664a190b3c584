"""Gradients at the input: Jacobians, their products, and their average over noise."""

import pytest
import torch
from torch.func import jacrev

from hirescam.methods import (
    hirescam,
    input_times_gradient,
    saliency,
    signed_gradient,
    smoothgrad,
)
from hirescam.methods._engine import capture_at
from make_networks import affine_head_2d, built, deep_head_3d
from make_trunks import trunk_and_images


def jacobian(network, x):
    """(batch, target, channel, *space), one image at a time."""
    return torch.stack([jacrev(lambda one: network(one[None])[0])(image) for image in x])


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_saliency_is_the_jacobian_summed_over_channels(dimensions):
    network, x = trunk_and_images(dimensions)
    expected = jacobian(network, x).detach()
    torch.testing.assert_close(signed_gradient(network, x), expected.sum(2))
    torch.testing.assert_close(signed_gradient(network, x, per_channel=True), expected)
    torch.testing.assert_close(saliency(network, x, per_channel=True), expected.abs())
    torch.testing.assert_close(saliency(network, x), expected.abs().amax(2))


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_input_times_gradient_is_the_jacobian_times_the_input(dimensions):
    network, x = trunk_and_images(dimensions)
    expected = (jacobian(network, x) * x[:, None]).detach()
    torch.testing.assert_close(input_times_gradient(network, x), expected.sum(2))
    torch.testing.assert_close(input_times_gradient(network, x, per_channel=True), expected)


def test_at_a_layer_input_times_gradient_is_hirescam():
    network, layer, x = built(deep_head_3d)
    torch.testing.assert_close(
        input_times_gradient(network, x, layer=layer), hirescam(network, x, layer=layer)
    )


def test_targets_may_be_names_or_predicted_or_a_function():
    network, x = trunk_and_images()
    network.labels = ["heart", "lung", "bone"]
    every, best = signed_gradient(network, x), network(x).argmax(1)
    torch.testing.assert_close(signed_gradient(network, x, targets="lung"), every[:, [1]])
    torch.testing.assert_close(
        signed_gradient(network, x, targets="predicted")[:, 0], every[torch.arange(2), best]
    )
    torch.testing.assert_close(
        signed_gradient(network, x, targets=lambda scores: scores[:, 0] - scores[:, 2])[:, 0],
        every[:, 0] - every[:, 2],
    )


def test_smoothgrad_without_noise_is_the_signed_gradient():
    network, x = trunk_and_images()
    torch.testing.assert_close(
        smoothgrad(network, x, noise=0.0, n_samples=2), signed_gradient(network, x)
    )


def test_smoothgrad_is_the_mean_gradient_over_its_noise():
    network, x = trunk_and_images()
    random = torch.Generator().manual_seed(7)
    spread = 0.2 * (x.amax((1, 2, 3)) - x.amin((1, 2, 3)))[:, None, None, None]
    noisy = [x + spread * torch.randn(x.shape[1:], generator=random) for _ in range(3)]
    expected = torch.stack([jacobian(network, each).sum(2) for each in noisy]).mean(0)
    found = smoothgrad(network, x, n_samples=3, noise=0.2, seed=7)
    torch.testing.assert_close(found, expected.detach())
    assert not found.equal(smoothgrad(network, x, n_samples=3, noise=0.2, seed=8))


def test_smoothgrad_explains_what_was_predicted_without_noise():
    network, x = trunk_and_images()
    with torch.no_grad():
        network[-1].bias -= network(x).mean(0)
    best = network(x).argmax(1)
    assert best[0] != best[1]  # and noise this strong makes others win
    options = {"n_samples": 3, "noise": 5.0}
    torch.testing.assert_close(
        smoothgrad(network, x, targets="predicted", **options)[:, 0],
        smoothgrad(network, x, **options)[torch.arange(2), best],
    )


def test_the_callers_input_is_left_alone():
    network, _, x = built(affine_head_2d)
    kept = x.clone()
    saliency(network[1:3], x)  # its first module is an in-place ReLU
    assert x.equal(kept)
    assert not x.requires_grad


@pytest.mark.parametrize(("room", "groups"), [(1, [1, 1, 1]), (2, [2, 1]), (99, [3])])
def test_only_as_many_labels_run_together_as_fit_where_gradients_are_widest(
    room, groups, monkeypatch
):
    network, x = trunk_and_images()
    widest = 2 * 4 * 8 * 8 * 4  # bytes: images, channels, rows, columns, of the first layers
    monkeypatch.setattr("hirescam.methods._engine.WIDEST_BYTES", room * widest)
    assert [len(group) for group in capture_at(network, x).gradients()] == groups
    torch.testing.assert_close(
        signed_gradient(network, x), jacobian(network, x).sum(2).detach()
    )
