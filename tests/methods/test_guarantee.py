"""Verdicts: right on every kind of head, and never by one lucky input."""

import pytest
import torch
from torch import nn

from hirescam.methods import Guarantee, Kind, audit
from make_networks import affine_head_2d, affine_head_3d, built, deep_head_3d, pooled_head_2d


@pytest.mark.parametrize("build", [affine_head_2d, affine_head_3d])
def test_one_linear_layer_is_exact_for_hirescam(build):
    network, layer, x = built(build)
    assert audit(network, x, layer=layer).kind is Kind.AFFINE


def test_global_average_pooling_is_exact_for_both():
    network, layer, x = built(pooled_head_2d)
    assert audit(network, x, layer=layer).kind is Kind.CAM


def test_two_linear_layers_are_not_guaranteed():
    network, layer, x = built(deep_head_3d)
    assert audit(network, x, layer=layer).kind is Kind.NONE


def small(head, seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), *head())
        return network, torch.randn(1, 1, 6, 6)


@pytest.mark.parametrize("seed", range(40))
def test_no_wrong_verdict_on_small_random_networks(seed):
    affine, x = small(lambda: [nn.Linear(48, 2)], seed)
    assert audit(affine, x, layer=affine[1]).kind is Kind.AFFINE
    hidden, x = small(lambda: [nn.Linear(48, 4), nn.ReLU(), nn.Linear(4, 2)], seed)
    assert audit(hidden, x, layer=hidden[1]).kind is Kind.NONE


def test_an_earlier_layer_is_not_guaranteed():
    network, _, x = built(affine_head_2d)
    assert audit(network, x, layer=network[0]).kind is Kind.NONE


def test_one_bad_label_spoils_the_verdict_of_all():
    class OneSquared(nn.Module):
        def forward(self, scores):
            return torch.stack([scores[:, 0], scores[:, 1] ** 2], dim=1)

    network, x = small(lambda: [nn.Linear(48, 2), OneSquared()], 0)
    assert audit(network, x, layer=network[1], targets=0).kind is Kind.AFFINE
    assert audit(network, x, layer=network[1]).kind is Kind.NONE


def test_a_network_with_a_fixed_batch_size_is_audited_probe_by_probe():
    class Fixed(nn.Module):
        def forward(self, features):
            return features.reshape(2, -1)

    network, layer, x = built(affine_head_2d)
    network[2] = Fixed()
    assert audit(network, x, layer=layer).kind is Kind.AFFINE


def test_scores_that_are_not_numbers_are_no_guarantee():
    class Broken(nn.Module):
        def forward(self, scores):
            return scores * float("nan")

    network, x = small(lambda: [nn.Linear(48, 2), Broken()], 0)
    assert audit(network, x, layer=network[1]).kind is Kind.NONE


@pytest.mark.parametrize(
    ("kind", "method", "holds"),
    [
        (Kind.CAM, "hirescam", True),
        (Kind.CAM, "gradcam", True),
        (Kind.AFFINE, "hirescam", True),
        (Kind.AFFINE, "gradcam", False),
        (Kind.NONE, "hirescam", False),
    ],
)
def test_the_sentence_says_what_holds(kind, method, holds):
    verdict = Guarantee(kind, 1e-7, 16)
    assert verdict.holds_for(method) is holds
    assert verdict.sentence(method).startswith("Guaranteed" if holds else "Not guaranteed")
