"""Where labels may look: PARTITION as loops restate it."""

import numpy as np
import pytest

from hirescam.anatomy import LABELS, ORGANS
from hirescam.errors import TargetError
from hirescam.regions.allowed import (
    Regions,
    allowed_regions,
    possible_places,
    reported_places,
)

SHAPE = (4, 3, 3)
LUNG, HEART = "lung_nodule", "heart_cardiomegaly"


@pytest.fixture
def organs():
    return np.random.default_rng(0).random((len(ORGANS), *SHAPE)) > 0.6


def regions(organs, reported):
    labels = (HEART, LUNG, "lung_mass")
    return Regions(labels, *reported_places(labels, reported), organs)


def test_a_label_may_look_in_the_union_of_its_organs(organs):
    random = np.random.default_rng(1)
    places = random.random((6, len(ORGANS))) > 0.5
    found = allowed_regions(places, organs)
    for label in range(6):
        union = np.zeros(SHAPE, bool)
        for organ in range(len(ORGANS)):
            if places[label, organ]:
                union |= organs[organ]
        np.testing.assert_array_equal(found[label], union)


def test_a_nodule_on_the_left_may_look_into_the_left_lung_alone(organs):
    found = regions(organs, {LUNG: ["left_lung"]}).allowed()
    np.testing.assert_array_equal(found[1], organs[ORGANS.index("left_lung")])


def test_a_nodule_of_no_told_side_may_look_into_both_lungs(organs):
    found = regions(organs, {LUNG: []}).allowed()
    np.testing.assert_array_equal(found[1], organs[0] | organs[1])


def test_an_organ_in_which_a_label_cannot_lie_is_not_believed(organs):
    found = regions(organs, {HEART: ["left_lung", "mediastinum"]}).allowed()
    np.testing.assert_array_equal(found[0], organs[ORGANS.index("mediastinum")])


def test_absent_labels_may_look_nowhere_or_where_their_anatomy_has_them(organs):
    one = regions(organs, {LUNG: ["left_lung"]})
    assert not one.allowed()[[0, 2]].any()
    by_anatomy = one.allowed(absent="anatomy")
    np.testing.assert_array_equal(by_anatomy[0], organs[2])
    np.testing.assert_array_equal(by_anatomy[1], organs[1])
    np.testing.assert_array_equal(by_anatomy[2], organs[0] | organs[1])


def test_29_labels_can_lie_in_the_mediastinum_and_51_in_the_lungs():
    places = possible_places(LABELS)
    assert places.sum(axis=0).tolist() == [51, 51, 29]
    assert (places[:29] == [False, False, True]).all()


def test_a_label_that_names_no_place_is_refused():
    with pytest.raises(TargetError, match="does not say where it lies"):
        possible_places(["fracture"])


def test_a_place_in_which_a_label_cannot_lie_counts_as_none_told():
    for told in (["mediastinum"], []):
        _, places = reported_places([LUNG], {LUNG: told})
        np.testing.assert_array_equal(places, possible_places([LUNG]))
    _, places = reported_places([LUNG], {LUNG: ["mediastinum", "left_lung"]})
    assert [organ for organ, is_there in zip(ORGANS, places[0], strict=True) if is_there] == [
        "left_lung"
    ]
