"""Which predictions are shown, and what it means that a map points elsewhere."""

import dataclasses

import numpy as np
import pytest

from hirescam.evaluation.outcomes import Outcomes
from hirescam.experiments.fig14 import fat_share
from hirescam.experiments.map_figures import (
    PLACES,
    PlaceEvidence,
    kinds,
    organs_for,
    some_scans,
    varied,
)
from hirescam.simulation.chest import simulate

LABELS = ("lung_mass", "heart_cardiomegaly")


def evidence(**raised):
    """One scan whose maps by either method have this evidence, for both labels."""
    row = np.array([raised.get(place, 0.0) for place in PLACES])
    return PlaceEvidence(LABELS, np.tile(row, (1, 2, 2, 1)), np.full((1, len(PLACES)), 1 / 6))


def test_both_lungs_are_one_place_for_a_label_of_the_lung():
    seen = evidence(right_lung=0.3, left_lung=0.3, mediastinum=0.4)
    assert seen.elsewhere[0, 0].tolist() == [False, True]
    assert seen.inside[0, 0] == pytest.approx([0.6, 0.4])


def test_a_map_points_elsewhere_if_one_other_place_has_more():
    assert evidence(right_lung=0.4, mediastinum=0.35, rest_of_body=0.25).elsewhere[0, 0, 0] == 0
    assert evidence(right_lung=0.4, mediastinum=0.1, rest_of_body=0.5).elsewhere[0, 0, 0] == 1


def test_a_map_without_positive_evidence_points_nowhere():
    seen = evidence()
    assert np.isnan(seen.inside).all()
    assert not seen.elsewhere.any()


def test_even_maps_point_where_the_volume_is():
    seen = dataclasses.replace(evidence(), volume=np.array([[0.2, 0.2, 0.3, 0.3, 0, 0]]))
    assert seen.even_elsewhere.tolist() == [[False, True]]


def test_a_label_can_lie_in_the_organs_of_its_name():
    assert organs_for("lung_mass") == ["right_lung", "left_lung"]
    assert organs_for("heart_cardiomegaly") == ["mediastinum"]


def outcomes(truth, logits):
    truth, logits = (np.array(each, np.float32)[:, None] for each in (truth, logits))
    empty = np.zeros((len(truth), 1, 1), np.float32)
    names = tuple(map(str, range(len(truth))))
    return Outcomes(names, LABELS[:1], truth, logits, empty, *[empty[:, None]] * 3)


def test_predictions_are_judged_by_the_threshold_of_validation_scans():
    valid = outcomes([0, 0, 1, 1], [-3, -1, 2, 5])
    found = kinds(outcomes([1, 1, 0, 0, np.nan], [2.5, 0, 3, 0, 9]), valid)
    assert {kind: which[:, 0].tolist() for kind, which in found.items()} == {
        "true positive": [True, False, False, False, False],
        "false positive": [False, False, True, False, False],
        "false negative": [False, True, False, False, False],
    }


def test_no_label_is_shown_twice_before_each_is_shown_once():
    ranked = [(0, 0), (1, 0), (0, 1), (2, 1), (2, 0)]
    assert varied(ranked, 3) == [(0, 0), (2, 1), (1, 0)]
    assert varied(ranked[:1], 3) == [(0, 0)]


def test_scans_are_drawn_once_and_always_the_same():
    drawn = some_scans(50, 20)
    assert drawn == some_scans(50, 20) == sorted(set(drawn))
    assert len(drawn) == 20
    assert some_scans(5, 20) == [0, 1, 2, 3, 4]


def test_more_fat_is_measured_where_more_was_planted():
    thin, heavy = (
        fat_share(
            simulate(
                3, findings=(), spacing_mm=(6.0, 6.0, 6.0), shortcuts={"body_fat": present}
            ).volume
        )
        for present in (False, True)
    )
    assert 0 < thin < heavy - 0.1
    assert heavy < 1
