"""What every network keeps, whatever it is made of, and what the audit says of each."""

import numpy as np
import pytest
import torch

import hirescam
from hirescam.errors import ModelError
from hirescam.methods import Kind, audit, gradcam
from hirescam.models.accelerate import accelerate
from hirescam.models.files import load_model, save_model
from hirescam.models.subject import network_and_input
from hirescam.training.objective import hirescam_attention
from make import volume
from make_classifiers import CLASSIFIERS, LABELS, PREPARATION, classifier_model, scan_input

each_network = pytest.mark.parametrize("name", CLASSIFIERS)

VERDICTS = {
    "AxialNet": Kind.AFFINE,
    "MaxPool": Kind.NONE,
    "NoCustomConv": Kind.AFFINE,
    "padded": Kind.AFFINE,
    "bottlenecks": Kind.AFFINE,
    "BodyCAM": Kind.CAM,
    "CTNet": Kind.NONE,
    "BodyConv": Kind.NONE,
    "3DConv": Kind.NONE,
    "EvidenceNet": Kind.CAM,
}


@each_network
def test_the_audit_gives_each_network_its_verdict(name):
    assert audit(classifier_model(name).network, scan_input()).kind is VERDICTS[name]


@each_network
def test_cells_are_as_many_as_the_map_has(name):
    network = classifier_model(name).network
    maps = hirescam.methods.hirescam(network, scan_input())
    counts = tuple(axis.count for axis in network.cells(PREPARATION.input_shape[0]))
    assert maps.shape == (1, len(LABELS), *counts)


@each_network
def test_a_cell_answers_to_what_lies_under_its_centre(name):
    """The gradient of a cell in the middle is spread evenly around its place in the scan."""
    network = classifier_model(name).network
    x = scan_input().requires_grad_()
    features = network.features(x)
    middle = tuple(size // 2 for size in features.shape[2:])
    (gradient,) = torch.autograd.grad(features[(0, slice(None), *middle)].sum(), x)
    weight = gradient[0].flatten(0, 1) != 0
    for axis, (cells, at) in enumerate(zip(network.cells(x.shape[1]), middle, strict=True)):
        seen = np.flatnonzero(weight.amax(dim=[d for d in range(3) if d != axis]).numpy())
        assert (seen[0] + seen[-1]) / 2 == pytest.approx(cells.centres[at], abs=0.6), axis


@each_network
def test_maps_in_closed_form_are_hirescam(name):
    network, x = classifier_model(name).network, scan_input()
    features = network.features(x)
    closed, found = network.label_maps(features), hirescam.methods.hirescam(network, x)
    exact = VERDICTS[name] is not Kind.NONE
    assert (closed is not None) == exact
    if exact:
        torch.testing.assert_close(closed, found, rtol=1e-4, atol=1e-8)
        sums = found.flatten(2).sum(dim=2)
        offset = network.scores(torch.zeros_like(features))
        torch.testing.assert_close(sums, network(x) - offset, rtol=1e-3, atol=1e-6)


@each_network
def test_scores_of_slices_make_the_score(name):
    network, x = classifier_model(name).network, scan_input()
    slices = network.slice_scores(network.features(x))
    made_by = {"MaxPool": torch.amax}
    if name in ("CTNet", "BodyConv", "3DConv"):
        assert slices is None
    else:
        score = made_by.get(name, torch.mean)(slices, dim=2)
        torch.testing.assert_close(score, network(x), rtol=1e-4, atol=1e-6)


@each_network
def test_a_model_file_gives_the_same_scores(name, tmp_path):
    model, x = classifier_model(name), scan_input()
    loaded = load_model(save_model(model, tmp_path / "a.model"))
    assert loaded.card == model.card
    with torch.no_grad():
        torch.testing.assert_close(loaded.network(x), model.network(x))


@each_network
def test_a_scan_is_explained(name):
    found = hirescam.explain(
        classifier_model(name), volume((54, 112, 112), spacing=(3, 3, 3)), any_values=True
    )
    exact = VERDICTS[name] is not Kind.NONE
    assert all(g.holds_for("hirescam") == exact for g in found.guarantees.values())
    assert bool(found.slice_scores) == (name not in ("CTNet", "BodyConv", "3DConv"))
    assert found.map_on_scan(LABELS[0]).shape == (54, 112, 112)


@each_network
def test_attention_trains_each_network(name):
    network, x = classifier_model(name).network.train(), scan_input()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.autograd.backward(hirescam_attention(network, network.features(x)).square().sum())
    first = next(network.features.parameters())
    assert first.grad is not None
    assert first.grad.abs().max() > 0


@each_network
def test_a_model_file_is_audited_without_an_input_of_the_users(name, tmp_path):
    path = save_model(classifier_model(name), tmp_path / "a.model")
    network, x = network_and_input(str(path))
    assert network(x).shape == (1, len(LABELS))


@each_network
def test_inference_in_full_precision_changes_nothing(name):
    model, x = classifier_model(name), scan_input()
    with torch.no_grad():
        torch.testing.assert_close(
            accelerate(model).network(x), model.network(x), rtol=1e-4, atol=1e-5
        )


def test_without_a_2d_part_there_is_nothing_to_run_in_half_precision():
    with pytest.raises(ModelError, match="3DConv has no 2D part"):
        accelerate(classifier_model("3DConv"), precision="bf16")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the device")
def test_a_device_that_there_is_not_is_refused_in_a_sentence():
    for device in ("cuda", "cuda:9", "graphics"):
        with pytest.raises(ModelError, match=f"cannot go to the device '{device}' .*cpu"):
            accelerate(classifier_model("BodyCAM"), device=device)


def test_gradcam_is_hirescam_of_bodycam_and_is_not_of_axialnet():
    """The paper's own check (section 7, table 1)."""
    x = scan_input(batch=2)
    for name, same in (("BodyCAM", True), ("AxialNet", False)):
        network = classifier_model(name).network
        one, other = hirescam.methods.hirescam(network, x), gradcam(network, x)
        difference = float((one - other).abs().max() / one.abs().max())
        assert (difference < 1e-6) is same


def test_a_network_of_one_length_refuses_a_preparation_of_another(tmp_path):
    model = classifier_model("CTNet")
    with pytest.raises(ModelError, match=r"slices=18 but .* need slices=17"):
        save_and_shorten(model, tmp_path)


def save_and_shorten(model, folder):
    """A file whose card speaks of one slice group less than its network was built for."""
    shorter = model.preparation.model_copy(update={"shape": (51, 112, 112)})
    card = model.card.model_copy(update={"preparation": shorter})
    changed = type(model)(model.network, card)
    return load_model(save_model(changed, folder / "short.model"))
