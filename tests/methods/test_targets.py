"""Which scores are explained, said in every way a caller may say it."""

import numpy as np
import pytest
import torch

from hirescam.errors import TargetError
from hirescam.methods import gradcam, hirescam
from hirescam.methods._engine import capture
from hirescam.methods.targets import picker
from make_networks import affine_head_2d, built


@pytest.fixture
def case():
    return built(affine_head_2d)


@pytest.fixture
def every(case):
    network, layer, x = case
    return hirescam(network, x, layer=layer)


@pytest.mark.parametrize("targets", [[[0], [2]], torch.tensor([[0], [2]])])
def test_each_image_may_have_targets_of_its_own(case, every, targets):
    network, layer, x = case
    found = hirescam(network, x, layer=layer, targets=targets)
    torch.testing.assert_close(found, torch.stack([every[0, [0]], every[1, [2]]]))


def test_the_predicted_target_is_the_highest_of_each_image(case, every):
    network, layer, x = case
    best = network(x).argmax(1)
    found = hirescam(network, x, layer=layer, targets="predicted")
    torch.testing.assert_close(found, every[torch.arange(2), best][:, None])


def test_names_stand_for_indices(case, every):
    network, layer, x = case
    network.labels = ["mass", "nodule", "cyst"]
    torch.testing.assert_close(hirescam(network, x, layer=layer, targets="cyst"), every[:, 2:])
    mixed = hirescam(network, x, layer=layer, targets=[["cyst", 0], ["mass", "nodule"]])
    torch.testing.assert_close(mixed, torch.stack([every[0, [2, 0]], every[1, [0, 1]]]))


def test_names_may_be_given_for_one_capture(case, every):
    network, layer, x = case
    seen = capture(network, x, layer=layer, labels=["mass", "nodule", "cyst"])
    (gradient,) = seen.gradients("nodule")
    torch.testing.assert_close((gradient[0] * seen.activation).sum(1), every[:, 1])


@pytest.mark.parametrize("method", [hirescam, gradcam])
def test_a_function_of_the_scores_is_explained(case, method):
    network, layer, x = case
    every = method(network, x, layer=layer)
    difference = method(network, x, layer=layer, targets=lambda s: s[:, 1] - s[:, 0])
    torch.testing.assert_close(difference, every[:, [1]] - every[:, [0]])
    two = method(network, x, layer=layer, targets=lambda s: 2 * s[:, :2])
    torch.testing.assert_close(two, 2 * every[:, :2])


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([[0]], r"batch of 2: give one list for all images, or one list per image, 2 in all"),
        ([[0], [1, 2]], "of equal lengths"),
        ([[0], 1], "one list per image"),
        ([[], []], "no targets asked for, but the network has 3 scores"),
        ([[0], [7]], "target 7 asked for, but the network has 3 scores"),
        (True, "not the bool True"),
        ("mass", "give the network a list `labels`"),
        (lambda s: s.sum(), r"returns \(\), expected a tensor of 2 numbers"),
        (lambda s: s[:1, 0], r"returns \(1,\)"),
        (lambda s: "cyst", "returns str"),
        (lambda s: s.detach(), "no gradient"),
    ],
)
def test_targets_that_do_not_fit_are_refused(case, targets, message):
    network, layer, x = case
    with pytest.raises(TargetError, match=message):
        hirescam(network, x, layer=layer, targets=targets)


def test_a_misspelt_name_is_answered_with_near_ones(case):
    network, layer, x = case
    network.labels = ["mass", "nodule", "cyst"]
    with pytest.raises(TargetError, match="'nodul': did you mean nodule"):
        hirescam(network, x, layer=layer, targets="nodul")


def test_a_name_that_two_scores_have_is_refused(case):
    network, layer, x = case
    network.labels = ["mass", "nodule", "mass"]
    with pytest.raises(TargetError, match="2 scores are named 'mass'"):
        hirescam(network, x, layer=layer, targets="mass")


def test_labels_of_another_network_are_refused(case):
    network, layer, x = case
    network.labels = ["mass"]
    with pytest.raises(TargetError, match="1 labels name the 3 scores"):
        hirescam(network, x, layer=layer, targets="mass")


@pytest.mark.parametrize("kind", [torch.tensor, np.array], ids=["tensor", "array"])
def test_a_flat_array_names_one_target_per_image_and_a_list_targets_of_every_image(kind):
    scores = torch.arange(6.0).reshape(2, 3)
    assert picker(kind([2, 0]), scores)(scores).tolist() == [[2.0], [3.0]]
    assert picker([2, 0], scores)(scores).tolist() == [[2.0, 0.0], [5.0, 3.0]]
    assert picker(kind([[2, 0], [1, 1]]), scores)(scores).tolist() == [[2.0, 0.0], [4.0, 4.0]]
    with pytest.raises(TargetError, match=r"one target per image.*targets=\[1, 2, 0\]"):
        picker(kind([1, 2, 0]), scores)
