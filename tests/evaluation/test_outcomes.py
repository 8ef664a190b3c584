"""Outcomes of one scan, from the network itself."""

import numpy as np
import pytest
import torch

from hirescam.errors import ModelError
from hirescam.evaluation.localisation import evidence_outside, undefined_note
from hirescam.evaluation.outcomes import (
    METHODS,
    joined,
    load_outcomes,
    outcome,
    save_outcomes,
)
from hirescam.methods._cam import hirescam
from hirescam.metrics.organ_iou import organ_ious
from hirescam.regions.allowed import Regions
from make_models import small_model


@pytest.fixture(scope="module")
def model():
    return small_model()


@pytest.fixture(scope="module")
def one(model):
    return outcome(model, "scan", scan(model), truth(model), regions(model))


def scan(model):
    shape = model.preparation.input_shape
    return torch.randn(shape, generator=torch.Generator().manual_seed(4))


def truth(model):
    return np.array([1.0, *[0.0] * (len(model.labels) - 1)], np.float32)


def regions(model):
    random = np.random.default_rng(0)
    with torch.no_grad():
        shape = tuple(model.network.features(scan(model)[None]).shape[2:])
    places = np.ones((len(model.labels), 3), bool)
    organs = random.random((3, *shape)) > 0.7
    return Regions(model.labels, truth(model) > 0, places, organs)


def test_scores_are_the_networks_own(model, one):
    with torch.no_grad():
        expected = model.network(scan(model)[None])
    np.testing.assert_allclose(one.logits, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(one.slice_scores.mean(axis=2), one.logits, rtol=1e-3, atol=1e-5)


def test_a_label_that_may_lie_in_no_organ_has_undefined_numbers_and_a_note(model):
    given = regions(model)
    present = np.array([True, True, False])
    places = given.places.copy()
    places[0] = False  # as of a label whose name tells no place
    truth = present.astype(np.float32)
    of_own = Regions(given.labels, present, places, given.organs)
    made = outcome(model, "scan", scan(model), truth, of_own)
    assert np.isnan(made.organ_ious[0, :, 0]).all()
    assert np.isfinite(made.organ_ious[0, :, 1]).all()
    rows = {
        (r["method"], r["label"], r["sign"]): r["share_outside"] for r in evidence_outside(made)
    }
    assert np.isnan(rows["hirescam", model.labels[0], "positive"])
    assert np.isfinite(rows["hirescam", model.labels[1], "positive"])
    (note,) = undefined_note(made)
    assert model.labels[0] in note
    assert model.labels[1] not in note
    assert np.isfinite(made.evidence[0, :, 0]).all()


def test_organ_iou_is_that_of_the_map(model, one):
    maps = hirescam(model.network, scan(model)[None])[0].numpy()
    expected = organ_ious(maps, regions(model).allowed())
    np.testing.assert_allclose(one.organ_ious[0, METHODS.index("hirescam"), 0], expected[0])


def test_values_of_absent_labels_are_unknown(one):
    assert np.isnan(one.organ_ious[0, :, 1:]).all()
    assert np.isfinite(one.organ_ious[0, :, 0]).all()


def test_evidence_of_both_signs_adds_up_to_the_map(model, one):
    maps = hirescam(model.network, scan(model)[None])[0].numpy()
    positive, negative = one.evidence[0, METHODS.index("hirescam"), 0]
    assert positive - negative == pytest.approx(maps[0].sum(), rel=1e-4, abs=1e-6)
    outside = one.outside[0, METHODS.index("hirescam"), 0, 0]
    forbidden = ~regions(model).allowed()[0]
    assert outside == pytest.approx(np.maximum(maps[0], 0)[forbidden].sum(), rel=1e-4)


def test_outcomes_come_back_from_disk_as_they_were(one, tmp_path):
    two = joined([one, one])
    save_outcomes(two, tmp_path / "outcomes.npz")
    back = load_outcomes(tmp_path / "outcomes.npz")
    assert back.scans == ("scan", "scan")
    assert back.labels == one.labels
    np.testing.assert_array_equal(back.organ_ious, two.organ_ious)
    assert [path.name for path in tmp_path.iterdir()] == ["outcomes.npz"]


def test_regions_of_other_labels_are_refused(model):
    other = regions(model)
    other = Regions(other.labels[::-1], other.present, other.places, other.organs)
    with pytest.raises(ModelError, match="are not the model's"):
        outcome(model, "scan", scan(model), truth(model), other)
