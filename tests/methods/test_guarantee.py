"""Verdicts: right on every kind of head, and never by one lucky input."""

import os

import pytest
import torch
from torch import nn

from hirescam.methods import Guarantee, Kind, audit
from hirescam.methods._engine import noise_like
from make_networks import (
    affine_head_2d,
    affine_head_3d,
    built,
    deep_head_3d,
    pooled_head_2d,
    random_pair,
)


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


@pytest.mark.parametrize("seed", range(1000 if os.environ.get("HIRESCAM_SLOW") else 100))
def test_no_wrong_verdict_on_small_random_networks(seed):
    affine, curved, culprit, x = random_pair(seed)
    assert audit(affine, x, layer="0").kind in (Kind.AFFINE, Kind.CAM)
    found = audit(curved, x, layer="0")
    assert found.kind is Kind.NONE
    assert found.first_nonaffine.startswith(f"{culprit} `")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("seed", range(10))
def test_no_wrong_verdict_in_other_precisions(seed, dtype):
    affine, curved, _, x = random_pair(seed)
    affine, curved, x = affine.to(dtype), curved.to(dtype), x.to(dtype)
    assert audit(affine, x, layer="0").kind in (Kind.AFFINE, Kind.CAM)
    assert audit(curved, x, layer="0").kind is Kind.NONE


def test_a_relu_of_what_a_relu_gave_breaks_nothing():
    network, x = small(lambda: [nn.Linear(48, 2)], 0)
    network.insert(2, nn.ReLU())
    assert audit(network, x, layer=network[1]).kind is Kind.AFFINE
    found = audit(network, x, layer=network[0])
    assert found.kind is Kind.NONE
    assert found.suggestion == 'explain the output of `1` instead (layer="1")'


def test_features_too_small_to_bend_are_not_mistaken_for_affine():
    network, x = small(lambda: [nn.SiLU(), nn.Linear(48, 2)], 0)
    network[0].weight.data *= 1e-9
    network[0].bias.data *= 1e-9
    assert audit(network, x, layer=network[0]).kind is Kind.NONE


@pytest.mark.parametrize("bias", [-1e5, 1e4])
def test_no_gap_hides_behind_a_large_bias(bias):
    network, x = small(lambda: [nn.Linear(48, 8), nn.ReLU(), nn.Linear(8, 2)], 0)
    network[-1].bias.data += bias
    assert audit(network, x, layer=network[1]).kind is Kind.NONE
    network, x = small(lambda: [nn.Linear(48, 2)], 0)
    network[-1].bias.data += bias
    assert audit(network, x, layer=network[1]).kind is Kind.AFFINE


def test_a_function_between_modules_is_found():
    class Squared(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = nn.Conv2d(1, 2, 3)
            self.pool = nn.AdaptiveAvgPool2d(1)
            self.fc = nn.Linear(2, 2)

        def forward(self, x):
            return self.fc(self.pool(self.features(x) ** 2).flatten(1))

    found = audit(Squared(), torch.ones(1, 1, 6, 6), layer="features")
    assert found.first_nonaffine == "a function between `features` and `pool`"
    assert found.suggestion.startswith("if it keeps the grid, as a ReLU does, make it a module")


@pytest.mark.parametrize("last", [nn.Sigmoid(), nn.LogSoftmax(1), None])
def test_probabilities_are_to_be_left_to_the_caller(last):
    class Probable(nn.Sequential):
        def forward(self, x):
            scores = super().forward(x)
            return scores.sigmoid() if last is None else scores

    network, x = small(lambda: [nn.Linear(48, 2), *([last] if last else [])], 0)
    found = audit(Probable(*network), x, layer="1")
    assert found.kind is Kind.NONE
    assert found.suggestion.startswith("let the network return its logits")


def test_the_audit_costs_one_forward_pass_more_than_a_map():
    network, layer, x = built(deep_head_3d)
    runs = []
    network[0].register_forward_hook(lambda *_: runs.append(None))
    audit(network, x, layer=layer)
    assert len(runs) == 2


class TwoPaths(nn.Module):
    """Scores of a block's output, and of what led into it by a second path."""

    def __init__(self, join):
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3)
        self.block = nn.Conv2d(4, 4, 3, padding=1)
        self.head = nn.Linear(4, 3)
        self.join = join

    def forward(self, x):
        before = self.stem(x)
        return self.head(self.join(self.block(before), before).mean((2, 3)))


@pytest.mark.parametrize("images", [1, 2])
@pytest.mark.parametrize(
    "join",
    [
        lambda block, before: block + before,
        lambda block, before: block * before.sigmoid(),
        lambda block, before: block + before.mean((2, 3), keepdim=True),
    ],
    ids=["sum", "gate", "mean"],
)
def test_a_path_around_the_layer_is_no_guarantee(join, images):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network, x = TwoPaths(join), torch.randn(images, 1, 8, 8)
    found = audit(network, x, layer="block")
    assert found.kind is Kind.NONE
    assert (
        found.first_nonaffine == "a path from the input to the scores that leads around `block`"
    )


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_a_path_around_the_layer_is_found_in_an_empty_image(value):
    network = TwoPaths(lambda block, before: block + before)
    found = audit(network, torch.full((1, 1, 8, 8), value), layer="block")
    assert found.kind is Kind.NONE


def test_noise_is_another_input_of_the_same_values():
    for x in (torch.arange(3, 10).repeat(1, 20), torch.tensor([[0.25, 0.5] * 20])):
        noise = noise_like(x)
        assert noise.dtype is x.dtype
        assert x.min() <= noise.min() < noise.max() <= x.max()
        assert not torch.equal(noise, x)
    assert noise_like(torch.tensor([[0, 1] * 20])).unique().tolist() == [0, 1]


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


@pytest.mark.parametrize("act", [nn.ReLU, nn.ReLU6, nn.Hardtanh])
def test_the_same_bound_twice_breaks_nothing(act):
    """ReLU6 of a ReLU6, or a ReLU of what one image happens to have above zero."""
    network, _ = small(lambda: [nn.Linear(48, 2)], 0)
    network[1] = act()
    network.insert(2, act())
    network[0].bias.data += 0.5
    x = torch.rand(1, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    assert audit(network, x, layer="1").kind is Kind.AFFINE
    assert audit(network, x, layer="0").kind is Kind.NONE


@pytest.mark.parametrize("scale", [1e-24, 1e-15, 1e15])
def test_tiny_and_huge_activations_keep_their_verdict(scale):
    network, x = small(lambda: [nn.Linear(48, 2)], 0)
    network[0].weight.data *= scale
    network[0].bias.data *= scale
    network[-1].weight.data /= scale
    assert audit(network, x, layer=network[1]).kind is Kind.AFFINE
