"""The chart of slice scores shows every score, zero and the peak."""

import numpy as np
import pytest

from hirescam.summary.page import BOTTOM, LEFT, RIGHT, TOP, slice_profile


def test_the_curve_fills_its_box_and_higher_scores_lie_higher():
    profile = slice_profile(np.array([-1.0, 0.0, 3.0], np.float32), 1, "IPL")
    assert profile.curve == ((LEFT, BOTTOM), ((LEFT + RIGHT) / 2, profile.zero), (RIGHT, TOP))
    assert profile.peak == (LEFT + RIGHT) / 2
    assert [text for _, text in profile.ticks] == ["−1.00", "+3.00", "0"]


@pytest.mark.parametrize(("orientation", "ends"), [("IPL", "head feet"), ("SPL", "feet head")])
def test_the_ends_are_named_after_where_the_slices_lead(orientation, ends):
    profile = slice_profile(np.ones(4, np.float32), 0, orientation)
    assert [profile.start, profile.end] == ends.split()


@pytest.mark.parametrize("scores", [np.zeros(5), np.ones(1), -np.ones(3)])
def test_flat_and_short_curves_lie_in_the_box(scores):
    profile = slice_profile(scores.astype(np.float32), 0, "IPL")
    assert all(LEFT <= x <= RIGHT and TOP <= y <= BOTTOM for x, y in profile.curve)
