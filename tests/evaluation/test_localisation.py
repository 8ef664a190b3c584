"""Tables of an evaluation, on outcomes whose values are known."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from hirescam.evaluation.classification import classification, median_auroc
from hirescam.evaluation.localisation import (
    chosen_thresholds,
    compare,
    evidence_outside,
    localisation,
    organ_values,
    overall,
    slice_table,
)
from hirescam.evaluation.outcomes import METHODS, Outcomes
from hirescam.metrics.organ_iou import THRESHOLDS

LABELS = ("heart_cardiomegaly", "lung_nodule", "lung_mass")
SCANS = 60


def outcomes(seed=0, quality=0.5):
    random = np.random.default_rng(seed)
    truth = (random.random((SCANS, 3)) < 0.4).astype(np.float32)
    truth[:, 2] = 0  # a label that no scan has
    truth[:5, 1] = np.nan
    shape = (SCANS, len(METHODS), 3)
    ious = np.clip(random.normal(quality, 0.1, (*shape, len(THRESHOLDS))), 0, 1)
    ious[:, :, :, 20] = np.clip(ious[:, :, :, 20] + 0.2, 0, 1)  # the best threshold
    evidence = random.random((*shape, 2)) + 1
    outside = evidence * np.array([0.25, 0.5])
    absent = ~(truth == 1)[:, None]
    for values in (ious, evidence, outside):
        values[np.broadcast_to(absent, shape)] = np.nan
    return Outcomes(
        scans=tuple(f"scan-{n}" for n in range(SCANS)),
        labels=LABELS,
        truth=truth,
        logits=(random.normal(size=(SCANS, 3)) + np.nan_to_num(truth)).astype(np.float32),
        slice_scores=random.normal(size=(SCANS, 3, 4)).astype(np.float32),
        organ_ious=ious.astype(np.float32),
        evidence=evidence.astype(np.float32),
        outside=outside.astype(np.float32),
    )


@pytest.fixture(scope="module")
def found():
    return outcomes()


def test_auroc_and_average_precision_equal_scikit_learns(found):
    for row, label in zip(classification(found, draws=50), LABELS[:2], strict=False):
        column = LABELS.index(label)
        known = ~np.isnan(found.truth[:, column])
        truth, said = found.truth[known, column] == 1, found.probabilities[known, column]
        assert row["scans"] == known.sum()
        assert row["auroc"] == pytest.approx(roc_auc_score(truth, said))
        assert row["average_precision"] == pytest.approx(average_precision_score(truth, said))
        assert row["auroc_low"] < row["auroc"] < row["auroc_high"]
        assert row["average_precision_low"] < row["average_precision_high"]


def test_a_label_that_no_scan_has_is_undefined_and_not_zero(found):
    row = classification(found, draws=10)[2]
    assert row["positive"] == 0
    for name in ("auroc", "average_precision", "threshold"):
        assert np.isnan(row[name])


def test_the_median_auroc_is_over_labels_that_have_one(found):
    rows = classification(found, draws=10)
    interval = median_auroc(found, draws=50)
    assert interval.value == pytest.approx(np.median([row["auroc"] for row in rows[:2]]))
    assert interval.low < interval.value < interval.high


def test_the_best_threshold_is_found_and_applied(found):
    thresholds = chosen_thresholds(found)
    assert thresholds[:, :2].tolist() == [[20, 20], [20, 20]]
    assert np.isnan(thresholds[:, 2]).all()
    values = organ_values(found, "hirescam", thresholds)
    np.testing.assert_array_equal(values[:, 0], found.organ_ious[:, 0, 0, 20])


def test_overall_is_the_mean_over_scan_label_pairs(found):
    values = organ_values(found, "hirescam", chosen_thresholds(found))
    interval = overall(values, draws=200)
    assert interval.value == pytest.approx(np.nanmean(values))
    assert interval.low < interval.value < interval.high


def test_pairs_of_every_kind_of_group_add_up(found):
    rows = localisation(found, chosen_thresholds(found), draws=5)
    pairs = int((found.truth == 1).sum())
    for method in METHODS:
        own = [row for row in rows if row["method"] == method]
        for group in ("overall", "label", "labels per scan"):
            assert sum(row["pairs"] for row in own if row["group"] == group) == pairs
        concepts = {row["name"]: row["pairs"] for row in own if row["group"] == "concept"}
        assert concepts["biological"] == concepts["focal"] + concepts["diffuse"] == pairs
        assert concepts["heart"] + concepts["lung"] == pairs


def test_pairs_of_scans_with_as_many_labels_stand_together(found):
    rows = localisation(found, chosen_thresholds(found), draws=5)
    present = (found.truth == 1).sum(axis=1)
    values = organ_values(found, METHODS[0], chosen_thresholds(found))
    own = [r for r in rows if r["group"] == "labels per scan" and r["method"] == METHODS[0]]
    assert [row["name"] for row in own] == ["1", "2"]
    for row, count in zip(own, (1, 2), strict=True):
        assert row["pairs"] == count * (present == count).sum()
        assert row["organ_iou"] == pytest.approx(np.nanmean(values[present == count]))


def test_slice_intervals_are_of_95_percent():
    """As wide as a normal mean's, ±1.96 standard errors: 90 % would be ±1.64."""
    many = outcomes(seed=4)
    rows = slice_table(many, draws=1000)
    for row in rows:
        chosen = many.truth[:, LABELS.index(row["label"])] == (row["class"] == "present")
        scores = many.slice_scores[chosen, LABELS.index(row["label"]), row["slice"]]
        error = scores.std() / np.sqrt(len(scores))
        width = (row["score_high"] - row["score_low"]) / 2
        assert width == pytest.approx(1.96 * error, rel=0.12)


def test_evidence_outside_is_a_share_per_sign(found):
    rows = [row for row in evidence_outside(found) if row["label"] == "lung_nodule"]
    assert {row["sign"]: round(row["share_outside"], 4) for row in rows} == {
        "positive": 0.25,
        "negative": 0.5,
    }


def test_slice_scores_have_a_row_per_slice_and_class(found):
    rows = slice_table(found, draws=20)
    own = [r for r in rows if r["label"] == "heart_cardiomegaly" and r["class"] == "present"]
    present = found.truth[:, 0] == 1
    means = found.slice_scores[present, 0].mean(axis=0)
    np.testing.assert_allclose([row["score"] for row in own], means, rtol=1e-5)
    assert all(row["score_low"] <= row["score"] <= row["score_high"] for row in own)
    assert not [
        row for row in rows if row["label"] == "lung_mass" and row["class"] == "present"
    ]


def test_a_model_that_looks_better_is_told_from_one_that_does_not(found):
    better = outcomes(quality=0.6)
    pair = [
        (one, organ_values(one, "hirescam", chosen_thresholds(one))) for one in (better, found)
    ]
    difference = compare(*pair, draws=200).organ_iou
    assert 0 < difference.low < difference.value < difference.high
    itself = compare(pair[1], pair[1], draws=50)
    assert itself.organ_iou.value == 0
    assert itself.auroc[0]["p"] == 1
