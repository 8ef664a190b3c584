"""explain: scores, maps in their place in the patient, and a verdict, for one scan."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn

import hirescam
from hirescam.ct.preparation import network_input, place
from hirescam.ct.volume import Volume
from hirescam.errors import HirescamError, ModelError, VoxelError
from hirescam.explanation import Geometry, explain, fingerprint
from hirescam.explanation.explanation import GEOMETRIES
from hirescam.methods import OUTPUT_LEVEL, Kind
from hirescam.models.accelerate import accelerate
from make import affine, volume
from make_models import marker_model, small_model


@pytest.fixture(scope="module")
def found():
    return explain(small_model(), volume((40, 60, 60), spacing=(1.5, 3, 3)), any_values=True)


def test_every_label_has_a_score_a_map_and_a_verdict(found):
    labels = ["lung_nodule", "heart_cabg", "lung_cyst"]
    assert list(found.scores) == list(found.maps) == list(found.guarantees) == labels
    assert found.maps["lung_cyst"].shape == (10, 6, 6)
    assert found.slice_scores["lung_cyst"].shape == (10,)
    assert found.guarantees["lung_cyst"].kind is Kind.AFFINE


def test_each_map_and_its_offset_add_up_to_the_score(found):
    sums = found.raw_maps.sum((1, 2, 3)) + found.offsets
    np.testing.assert_allclose(sums, found.logits, rtol=1e-4)


def test_probabilities_are_the_sigmoid_of_the_scores(found):
    logits = torch.tensor(list(found.scores.values()))
    np.testing.assert_allclose(
        list(found.probabilities.values()), torch.sigmoid(logits), rtol=1e-6
    )


def test_the_scores_are_the_network_s(found):
    model = small_model()
    x = network_input(place(found.scan, model.preparation), model.preparation)
    with torch.no_grad():
        np.testing.assert_allclose(model.network(x[None])[0], found.logits, rtol=1e-5)


def test_no_explanation_names_the_file(found):
    assert found.provenance.scan_sha256 == fingerprint(found.scan)
    assert found.provenance.layer == "features"
    assert found.provenance.precision == "fp32"


def test_a_network_of_broken_weights_is_refused():
    model = small_model()
    model.network.head.weight.data[0] = float("nan")
    with pytest.raises(ModelError, match="not finite numbers"):
        explain(model, volume((40, 60, 60)), any_values=True)


def test_a_scan_with_holes_is_refused_for_its_own_sake():
    scan = volume((40, 60, 60))
    holed = Volume(np.where(scan.voxels > 0, np.nan, scan.voxels).astype("f4"), scan.affine)
    with pytest.raises(VoxelError, match="voxels that are NaN"):
        explain(small_model(), holed, any_values=True)


def test_a_head_of_another_precision_is_refused():
    model = small_model()
    model.network.bfloat16()
    with pytest.raises(ModelError, match="head is not float32"):
        explain(model, volume((40, 60, 60)), any_values=True)


def test_a_model_in_training_is_explained_as_it_scores_and_left_in_training(found):
    model = small_model()
    model.network.head = nn.Sequential(nn.Dropout(0.9), model.network.head)
    model.network.train()
    other = explain(model, found.scan, any_values=True)
    np.testing.assert_array_equal(other.logits, found.logits)
    np.testing.assert_array_equal(other.offsets, found.offsets)
    assert other.guarantees["lung_cyst"].kind is Kind.AFFINE
    assert model.network.training


def test_every_way_to_ask_for_is_in_a_table():
    assert set(GEOMETRIES) == set(get_args(Geometry))


@pytest.mark.parametrize("method", OUTPUT_LEVEL)
def test_each_method_of_one_forward_pass_can_be_asked_for(found, method):
    also = ("hirescam",)
    other = explain(small_model(), found.scan, method=method, also=also, any_values=True)
    assert other.provenance.method == method
    assert set(other.other_maps) == {"hirescam"} - {method}
    kept = other.other_maps.get("hirescam", other.raw_maps)
    np.testing.assert_array_equal(kept, found.raw_maps)
    verdict = other.guarantees["lung_cyst"]
    adds_up = other.raw_maps.sum(axis=(1, 2, 3)) + other.offsets
    is_exact = np.allclose(adds_up, other.logits, rtol=1e-4, atol=1e-5)
    assert verdict.holds_for(method) <= is_exact, "what is called guaranteed adds up"
    assert verdict.holds_for(method) == (method in ("hirescam", "gradient_times_activation"))
    assert verdict.sentence(method).startswith("Guaranteed") == verdict.holds_for(method)


def test_a_method_that_needs_runs_of_its_own_is_named_with_where_it_is(found):
    with pytest.raises(HirescamError, match=r"hirescam\.methods\.occlusion\(model\.network"):
        explain(small_model(), found.scan, method="occlusion", any_values=True)
    with pytest.raises(HirescamError, match="layercam"):
        explain(small_model(), found.scan, also=("layer-cam",), any_values=True)


def test_voxels_that_must_not_be_written_to_are_explained(found):
    voxels = found.scan.voxels.copy()
    voxels.setflags(write=False)
    other = explain(small_model(), Volume(voxels, found.scan.affine), any_values=True)
    np.testing.assert_array_equal(other.raw_maps, found.raw_maps)


def test_probabilities_of_any_score_are_numbers(found):
    sure = replace(found, logits=np.array([-800, 0, 800], np.float32))
    assert list(sure.probabilities.values()) == [0, 0.5, 1]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_an_accelerated_model_explains_almost_the_same(found, precision):
    fast = accelerate(small_model(), precision=precision)
    other = explain(fast, found.scan, any_values=True)
    tolerance = {"fp32": 1e-5, "bf16": 0.02}[precision]
    np.testing.assert_allclose(other.logits, found.logits, atol=tolerance)
    sums = other.raw_maps.sum((1, 2, 3)) + other.offsets
    np.testing.assert_allclose(sums, other.logits, rtol=1e-4)
    assert other.provenance.precision == precision


def test_gradcam_is_offered_and_said_not_to_be_guaranteed(found):
    other = explain(small_model(), found.scan, method="gradcam", any_values=True)
    assert np.abs(other.raw_maps - found.raw_maps).max() > 0
    verdict = other.guarantees["lung_cyst"]
    assert not verdict.holds_for(other.provenance.method)


def marked(shape, index, scan_affine, half=2):
    voxels = np.full(shape, -1000, dtype=np.int16)
    voxels[tuple(slice(max(0, i - half), i + half + 1) for i in index)] = 800
    return Volume(voxels, scan_affine)


PLACES = {
    "axial": {},
    "flipped": {"flips": (-1, 1, -1)},
    "oblique": {"tilt_deg": 17},
    "oblique and flipped": {"tilt_deg": -25, "flips": (1, -1, 1)},
}


def patient_position(affine_, index):
    return (affine_ @ [*index, 1])[:3]


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("index", [(20, 60, 70), (45, 100, 48), (60, 45, 95)])
def test_the_peak_of_a_map_lies_within_a_cell_of_a_marker(place, index):
    scan_affine = affine(spacing=(1.6, 1.5, 1.7), origin=(31, -12, 470), **place)
    scan = marked((75, 150, 140), index, scan_affine)
    found = explain(marker_model(), scan, any_values=True)
    peak = np.unravel_index(found.maps["marker"].argmax(), found.maps["marker"].shape)
    off_mm = patient_position(found.affine, peak) - patient_position(scan_affine, index)
    cells = np.linalg.inv(found.affine[:3, :3]) @ off_mm
    assert np.abs(cells).max() <= 1


def test_the_published_tiling_is_at_hand_and_misses_by_more_than_a_cell():
    scan_affine = affine(spacing=(2.0, 2.0, 2.0))
    scan = marked((60, 128, 128), (30, 34, 64), scan_affine)
    model = marker_model(neck=(2, 2, 2, 2))
    rows = {}
    for geometry in ("receptive-field", "published"):
        found = explain(model, scan, geometry=geometry, any_values=True)
        peak = np.unravel_index(found.maps["marker"].argmax(), found.maps["marker"].shape)
        rows[geometry] = (np.linalg.inv(scan_affine) @ found.affine @ [*peak, 1])[1]
    assert abs(rows["receptive-field"] - 34) <= 8
    assert abs(rows["published"] - 34) > 8


def test_the_map_on_the_scan_has_its_peak_at_the_marker():
    scan_affine = affine(spacing=(1.6, 1.5, 1.7), tilt_deg=10, flips=(-1, 1, 1))
    scan = marked((75, 150, 140), (40, 70, 70), scan_affine)
    found = explain(marker_model(), scan, any_values=True)
    on_scan = found.map_on_scan("marker")
    assert on_scan.shape == scan.shape
    peak = np.array(np.unravel_index(on_scan.argmax(), on_scan.shape))
    assert np.abs((peak - [40, 70, 70]) * scan.spacing_mm).max() <= 16


def test_the_public_names_reach_it():
    assert hirescam.explain is explain
