"""Hiding an organ: its surroundings fill it, and the score falls as the map predicts."""

import dataclasses

import numpy as np
import pytest

from hirescam.ct.volume import Volume
from hirescam.errors import ModelError, TargetError
from hirescam.explanation import Agreement, OrganOcclusion, explain, occlude_organ
from hirescam.explanation.organ_occlusion import filled_from_around
from hirescam.organs.masks import OrganMasks, Verdict
from make import affine
from make_models import marker_model

SHAPE = (60, 128, 128)
ORGANS = ("bright", "dark", "absent")


def two_boxes():
    """A bright organ and one like its surroundings, in a body of water."""
    place = affine(spacing=(2.0, 2.0, 2.0))
    voxels = np.full(SHAPE, -1000, np.int16)
    codes = np.zeros(SHAPE, np.uint8)
    codes[10:50, 20:60, 70:110] = 1
    codes[10:50, 70:110, 20:60] = 2
    voxels[codes == 1] = 600
    verdicts = {organ: Verdict() for organ in ORGANS}
    return Volume(voxels, place), OrganMasks(codes, place, "drawn", ORGANS, verdicts)


@pytest.fixture(scope="module")
def explained():
    scan, organs = two_boxes()
    model = marker_model()
    return model, explain(model, scan, any_values=True), organs


def test_hiding_what_raised_the_score_takes_the_score_away_as_the_map_foretold(explained):
    model, found, organs = explained
    hidden = occlude_organ(model, found, organs, "bright")
    assert hidden.predicted_drop[0] > 0.6 * found.raw_maps.sum()
    assert hidden.drops[0] > 0.9 * found.raw_maps.sum()
    assert hidden.agreement("marker") is Agreement.AGREES
    assert hidden.sentence("marker").startswith("Occluding the bright lowers the score by ")
    assert hidden.sentence("marker").endswith("and agrees.")


def test_hiding_what_looks_like_its_surroundings_changes_nothing(explained):
    model, found, organs = explained
    hidden = occlude_organ(model, found, organs, "dark")
    assert abs(hidden.drops[0]) < 0.01 * hidden.evidence[0]
    assert hidden.agreement("marker") is Agreement.LITTLE


def test_an_organ_without_a_voxel_and_a_foreign_model_are_refused(explained):
    model, found, organs = explained
    for organ in ("absent", "spleen"):
        with pytest.raises(TargetError, match="the masks hold bright, dark"):
            occlude_organ(model, found, organs, organ)
    with pytest.raises(ModelError, match="not the one that was explained"):
        occlude_organ(dataclasses.replace(model, sha256="other"), found, organs, "bright")


@pytest.mark.parametrize(
    ("fell", "predicted_drop", "expected"),
    [
        (1.0, 1.5, Agreement.AGREES),
        (1.0, 3.0, Agreement.DIRECTION),
        (1.0, -1.0, Agreement.DISAGREES),
        (-1.0, -1.0, Agreement.AGREES),
        (0.1, -0.1, Agreement.LITTLE),
    ],
)
def test_agreement_is_direction_and_size(fell, predicted_drop, expected):
    one = np.ones(1, np.float32)
    hidden = OrganOcclusion(
        "heart",
        ("x",),
        before=fell * one,
        after=0 * one,
        predicted_drop=np.array([predicted_drop]),
        evidence=np.array([10.0]),
    )
    assert hidden.agreement("x") is expected


def test_a_linear_ramp_goes_on_through_what_is_hidden():
    ramp = np.broadcast_to(np.arange(40, dtype=np.float32) * 10, (40, 40, 40)).copy()
    hidden = np.zeros(ramp.shape, bool)
    hidden[12:28, 12:28, 12:28] = True
    spoiled = np.where(hidden, 5000, ramp).astype(np.float32)
    filled = filled_from_around(spoiled, hidden)
    assert np.array_equal(filled[~hidden], ramp[~hidden])
    assert filled[hidden].min() >= 0
    assert filled[hidden].max() <= 400
    assert np.abs(filled - ramp)[hidden].mean() < 30


def test_nothing_hidden_and_all_hidden_stay_as_they_are():
    voxels = np.random.default_rng(0).integers(-1000, 800, (5, 6, 7)).astype(np.int16)
    for hidden in (np.zeros(voxels.shape, bool), np.ones(voxels.shape, bool)):
        assert np.array_equal(filled_from_around(voxels, hidden), voxels)


@pytest.mark.parametrize("shape", [(1, 20, 30), (3, 5, 64), (33, 1, 7)])
def test_flat_scans_are_filled_too(shape):
    voxels = np.full(shape, 7, np.int16)
    hidden = np.zeros(shape, bool)
    hidden[tuple(slice(0, max(1, size // 2)) for size in shape)] = True
    voxels[hidden] = 900
    assert (filled_from_around(voxels, hidden) == 7).all()
