"""Lesion measures, against maps of which one knows what they find."""

import numpy as np
import pytest

from hirescam.metrics.lesions import LESION_MEASURES, lesion_measures


def states():
    """A lesion of two cells in a line, its neighbours unknown."""
    found = np.zeros((6, 6, 6), np.int8)
    found[1:5, 1:5, 1:4] = -1
    found[2:4, 2, 2] = 1
    return found


def measured(values, of=None):
    found = lesion_measures(values, states() if of is None else of)
    return dict(zip(LESION_MEASURES, found.tolist(), strict=True))


def test_a_map_of_the_lesion_alone_is_best_by_every_measure():
    assert set(measured((states() == 1).astype(float)).values()) == {1.0}


def test_a_map_beside_the_lesion_is_within_one_cell_and_no_hit():
    values = np.full((6, 6, 6), -1.0)
    values[1, 1, 1] = 2.0
    found = measured(values)
    assert (found["pointing_hit"], found["within_one_cell"]) == (0, 1)
    assert found["mass_in_lesion"] == found["energy_in_box"] == 0


def test_a_map_on_the_other_side_finds_nothing():
    found = measured(np.where(states() == 0, 1.0, -1.0))
    assert set(found.values()) == {0.0}


def test_an_even_map_scores_as_chance_does():
    found = measured(np.ones((6, 6, 6)))
    assert found["pointing_hit"] == found["mass_in_lesion"] == pytest.approx(2 / 216)
    assert found["within_one_cell"] == pytest.approx(48 / 216)
    assert found["lesion_auroc"] == 0.5


def test_the_box_holds_more_than_a_crooked_lesion():
    of = np.zeros((4, 4, 4), np.int8)
    of[0, 0, 0] = of[1, 1, 1] = 1
    found = measured(np.ones((4, 4, 4)), of)
    assert found["energy_in_box"] == pytest.approx(8 / 64)
    assert found["mass_in_lesion"] == pytest.approx(2 / 64)


def test_a_map_without_positive_values_has_no_mass_and_a_peak():
    values = np.full((6, 6, 6), -2.0)
    values[2, 2, 2] = -1.0
    found = measured(values)
    assert found["pointing_hit"] == 1
    assert found["mass_in_lesion"] == 0


def test_nothing_is_told_of_a_lesion_that_no_cell_holds():
    unknown = np.full((6, 6, 6), -1, np.int8)
    assert np.isnan(lesion_measures(np.ones((6, 6, 6)), unknown)).all()
    broken = np.ones((6, 6, 6))
    broken[0, 0, 0] = np.nan
    assert np.isnan(lesion_measures(broken, states())).all()
