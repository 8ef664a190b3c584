"""Colours say the sign and the size of evidence."""

import numpy as np
import pytest

from hirescam.anatomy import LABELS
from hirescam.summary.colours import (
    Scale,
    blend,
    grey,
    scale_of,
    shared_scale,
    window_hu,
    window_name,
    window_presets,
)


def test_the_scale_holds_every_map_and_no_more_than_two_digits():
    maps = np.array([0.1, -0.03141, 0.0]).reshape(3, 1, 1, 1)
    assert shared_scale(maps).limit == 0.1
    assert shared_scale(maps[1:]).limit == 0.032
    assert shared_scale(maps * 1e-30).limit == pytest.approx(1e-31)


def test_maps_of_zeros_have_a_scale():
    assert shared_scale(np.zeros((2, 1, 1, 1))).limit == 1


def test_no_evidence_leaves_the_scan_as_it_is():
    brightness = np.linspace(0, 1, 11)
    bare = np.rint(brightness * 255)[:, None].repeat(3, 1)
    assert np.array_equal(blend(brightness, np.zeros(11), Scale(1.0)), bare)


def test_colour_grows_in_proportion_to_the_value():
    values = np.array([0.0, 0.25, 0.5, 1.0])
    orange = blend(np.zeros(4), values, Scale(1.0)).astype(int)[:, 0]
    assert np.allclose(orange / orange[-1], values, atol=0.01)


def test_raised_is_warm_lowered_is_cool():
    raised, lowered = blend(np.full(2, 0.5), np.array([1.0, -1.0]), Scale(1.0)).astype(int)
    assert raised[0] > raised[2]
    assert lowered[2] > lowered[0]


def test_a_window_runs_from_black_to_white():
    hu = np.array([-2000, -1350, -600, 150, 3000], np.int16)
    assert grey(hu, window_hu("lung_nodule")).tolist() == [0, 0, 0.5, 1, 1]


@pytest.mark.parametrize(
    ("label", "window"),
    [
        ("lung_nodule", "lung"),
        ("lung_pleural_effusion", "mediastinum"),
        ("Pleural Effusion", "mediastinum"),
        ("lung_emphysema", "emphysema"),
        ("pneumothorax", "emphysema"),
        ("heart_stent", "devices"),
        ("heart_catheter_or_port", "devices"),
        ("portal_vein", "mediastinum"),
        ("lung_bandlike_or_linear", "lung"),
        ("lung_calcification", "bone"),
        ("great_vessel_aneurysm", "vessels"),
        ("rib fracture", "bone"),
        ("something else", "mediastinum"),
    ],
)
def test_each_abnormality_has_the_window_in_which_it_is_seen(label, window):
    assert window_name(label) == window
    low, high = window_hu(label)
    assert low < high


def test_no_label_is_without_a_window_and_no_preset_without_a_label():
    assert {window_name(label) for label in LABELS} == set(window_presets())


def test_a_likely_finding_that_the_shared_scale_would_hide_has_its_own():
    shared = Scale(6.7)
    faint, clear = np.full((1, 1, 2), -0.5, np.float32), np.full((1, 1, 2), 2.0, np.float32)
    assert scale_of(faint, shared, likely=True) == Scale(0.5, is_own=True)
    assert scale_of(faint, shared, likely=False) is shared, "noise is not raised to evidence"
    assert scale_of(clear, shared, likely=True) is shared
    assert scale_of(np.zeros((1, 1, 2), np.float32), shared, likely=True) is shared
