"""Reference maps: made of other scans, judged as a network's maps are."""

import numpy as np
import pytest

from hirescam.evaluation.localisation import chosen_thresholds, localisation
from hirescam.evaluation.outcomes import (
    METHODS,
    Outcomes,
    load_outcomes,
    save_outcomes,
    scan_half,
)
from hirescam.evaluation.references import (
    ATLAS,
    EVEN,
    MEAN_MAP,
    REFERENCES,
    atlas,
    gain,
    lesion_table,
    mean_maps,
    reference_values,
)
from hirescam.metrics.lesions import LESION_MEASURES
from hirescam.metrics.organ_iou import THRESHOLDS, organ_ious
from hirescam.regions.allowed import Regions

LABELS = ("lung_mass", "heart_cardiomegaly")
SHAPE = (4, 6, 6)


def outcomes(count=12, *, seed=0, perfect=True, moved=False):
    """Scans with lungs and a mediastinum; maps lie in the organ, or anywhere."""
    random = np.random.default_rng(seed)
    truth = (random.random((count, 2)) < 0.6).astype(np.float32)
    truth[:2] = 1
    organs = np.zeros((count, 3, *SHAPE), bool)
    ious = np.full((count, len(METHODS), 2, len(THRESHOLDS)), np.nan, np.float32)
    places = np.zeros((count, 2, 3), bool)
    states = np.zeros((count, 2, *SHAPE), np.int8)
    lesions = np.full((count, len(METHODS), 2, len(LESION_MEASURES)), np.nan, np.float32)
    sums, counts = np.zeros((2, 2, *SHAPE), np.float32), np.zeros((2, 2), np.float32)
    names = tuple(f"scan-{seed}-{number}" for number in range(count))
    for scan in range(count):
        shift = int(random.integers(0, 3)) if moved else 0
        organs[scan, 0, :, :, shift : shift + 1] = True
        organs[scan, 2, :, :, 2 + shift : 4 + shift] = True
        organs[scan, 1, :, :, -1:] = ~organs[scan, 2, :, :, -1:]
        places[scan] = [[True, False, False], [False, False, True]]
        places[scan] &= truth[scan, :, None] == 1
        regions = Regions(LABELS, truth[scan] == 1, places[scan], organs[scan])
        allowed = regions.allowed()
        maps = allowed.astype(float) if perfect else random.random((2, *SHAPE))
        for label in np.flatnonzero(truth[scan] == 1):
            ious[scan, :, label] = organ_ious(maps, allowed)[label]
            sums[scan_half(names[scan]), label] += maps[label]
            counts[scan_half(names[scan]), label] += 1
            states[scan, label, 1, 2, 2] = 1
            lesions[scan, :, label] = 1 if perfect else 0
    blank = np.zeros((count, len(METHODS), 2, 2), np.float32)
    return Outcomes(
        names,
        LABELS,
        truth,
        np.where(truth == 1, 2, -2).astype(np.float32),
        np.zeros((count, 2, 0), np.float32),
        ious,
        blank,
        blank,
        places=places,
        organs=organs,
        map_sums=sums,
        map_counts=counts,
        lesions=lesions,
        lesion_states=states,
    )


def test_the_even_map_has_the_share_of_allowed_cells():
    test = outcomes()
    found = reference_values(test, outcomes(seed=1)).organ_iou[EVEN]
    share = 1 / 6  # the right lung is one column of six
    assert found[test.truth[:, 0] == 1, 0] == pytest.approx(share)
    assert found[test.truth[:, 1] == 1, 1] == pytest.approx(2 / 6)
    assert np.isnan(found[test.truth != 1]).all()


def test_the_atlas_is_where_the_organs_of_the_labels_place_lie_in_other_scans():
    valid = outcomes(seed=1, moved=True)
    lungs = valid.organs[:, :2].any(axis=1).mean(axis=0)
    np.testing.assert_allclose(atlas(valid)[0], lungs)
    np.testing.assert_allclose(atlas(valid)[1], valid.organs[:, 2].mean(axis=0))


def test_references_know_nothing_of_the_scans_that_they_are_judged_on():
    """Other organs in the measured scans change neither the atlas nor the mean map."""
    valid = outcomes(seed=1)
    kept = atlas(valid), mean_maps(valid)
    reference_values(outcomes(seed=2, moved=True), valid)
    np.testing.assert_array_equal(atlas(valid), kept[0])
    np.testing.assert_array_equal(mean_maps(valid), kept[1])


def test_without_validation_scans_each_half_is_judged_by_the_other():
    test = outcomes(count=16, moved=True)
    one = [row for row, scan in enumerate(test.scans) if scan_half(scan) == 1]
    np.testing.assert_allclose(atlas(test, without=0)[1], test.organs[one][:, 2].mean(axis=0))
    assert not np.array_equal(atlas(test, without=0), atlas(test, without=1))
    with_count = test.map_counts[1] > 0
    expected = test.map_sums[1] / np.maximum(test.map_counts[1], 1)[:, None, None, None]
    np.testing.assert_allclose(mean_maps(test, without=0)[with_count], expected[with_count])


def test_a_network_that_looks_into_the_organ_gains_over_the_atlas_and_a_blind_one_does_not():
    valid = outcomes(seed=1, moved=True, count=30)
    for perfect in (True, False):
        test = outcomes(seed=2, moved=True, count=30, perfect=perfect)
        rows = localisation(
            test, chosen_thresholds(valid), references=reference_values(test, valid), draws=100
        )
        overall = {row["method"]: row for row in rows if row["group"] == "overall"}
        assert set(overall) == {*METHODS, *REFERENCES}
        gains = overall["hirescam"]
        difference = gains["organ_iou"] - overall[ATLAS]["organ_iou"]
        assert gains["gain_over_atlas"] == pytest.approx(difference, rel=1e-4)
        assert (gains["gain_over_atlas_low"] > 0) == perfect
        assert np.isnan(overall[ATLAS]["gain_over_atlas"])


def test_rows_of_labels_say_whether_they_were_learnt():
    test = outcomes(count=30)
    blind = Outcomes(
        test.scans,
        LABELS,
        test.truth,
        np.random.default_rng(3).normal(size=(30, 2)).astype(np.float32),
        test.slice_scores,
        test.organ_ious,
        test.evidence,
        test.outside,
    )
    for each, expected in ((test, "yes"), (blind, "no")):
        rows = localisation(each, chosen_thresholds(each), draws=20)
        assert {row["learnt"] for row in rows if row["group"] == "label"} == {expected}
        assert {row["learnt"] for row in rows if row["group"] != "label"} == {""}


def test_lesions_are_measured_for_maps_and_references_alike():
    test = outcomes(count=10)
    rows = lesion_table(test, reference_values(test, outcomes(seed=1)), draws=50)
    overall = {row["method"]: row for row in rows if not row["name"]}
    assert set(overall) == {*METHODS, *REFERENCES}
    assert overall["hirescam"]["pointing_hit"] == 1
    assert overall["hirescam"]["pairs"] == int((test.truth == 1).sum())
    assert overall[EVEN]["pointing_hit"] == pytest.approx(1 / 144)


def test_outcomes_of_earlier_versions_have_no_references_and_none_are_made_up(tmp_path):
    test = outcomes()
    old = Outcomes(
        test.scans,
        LABELS,
        test.truth,
        test.logits,
        test.slice_scores,
        test.organ_ious,
        test.evidence,
        test.outside,
    )
    save_outcomes(old, tmp_path / "old.npz")
    back = load_outcomes(tmp_path / "old.npz")
    assert back.organs is None
    assert reference_values(back) is None
    assert lesion_table(back, None) == []


def test_the_mean_map_is_left_out_where_no_maps_were_added_up():
    test = outcomes()
    bare = Outcomes(
        test.scans,
        LABELS,
        test.truth,
        test.logits,
        test.slice_scores,
        test.organ_ious,
        test.evidence,
        test.outside,
        places=test.places,
        organs=test.organs,
    )
    assert MEAN_MAP not in reference_values(bare).organ_iou


def test_a_gain_over_itself_is_nothing():
    values = np.random.default_rng(0).random((10, 2))
    assert gain(values, values, draws=20).value == 0
