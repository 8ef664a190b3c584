"""A scan that the network cannot judge is said to be one, and an ordinary chest is not."""

import dataclasses

import numpy as np
import pytest

from hirescam.ct.volume import Volume
from hirescam.explanation.input_warnings import MOST_PADDING, input_warnings
from hirescam.organs.masks import OrganMasks, Verdict
from make_chest import chest
from make_explanation import PROVENANCE, explanation

REAL = dataclasses.replace(PROVENANCE, trained_on="36,316 scans", notes=())


def seen(scan, *, before=0, after=0, cut=0):
    """`scan` as a network's input: slices of padding added, rows cut off on either side."""
    voxels = np.pad(scan.voxels, ((before, after), (0, 0), (0, 0)), constant_values=-1000)[
        :, cut : scan.shape[1] - cut
    ]
    affine = scan.affine.copy()
    affine[:, 3] = scan.affine @ [-before, cut, 0, 1]
    return Volume(voxels, affine)


def codes(scan, input_volume=None, organs=None, provenance=REAL):
    made = explanation(scan=scan, input_volume=input_volume or scan, provenance=provenance)
    return [warning.code for warning in input_warnings(made, organs)]


def test_an_ordinary_chest_is_not_warned_of():
    assert codes(chest()) == []
    assert codes(chest(), seen(chest(), before=10, after=10)) == []


@pytest.mark.parametrize("share", [0.6, 0.9, 0.99])
def test_padding_is_told_by_its_share(share):
    scan = chest()
    added = round(len(scan.voxels) * share / (1 - share))
    made = explanation(scan=scan, input_volume=seen(scan, before=added), provenance=REAL)
    (warning,) = input_warnings(made)
    assert warning.code == "padding"
    assert warning.value == pytest.approx(share, abs=0.02)
    assert share > MOST_PADDING


def test_two_millimetres_are_no_chest():
    assert "short_scan" in codes(chest(slices=12, step_mm=0.2))
    assert "short_scan" not in codes(chest())


def test_a_cut_field_is_told_where_body_is_lost():
    scan = chest()
    assert "field_cut" in codes(scan, seen(scan, cut=30))
    assert codes(scan, seen(scan, cut=12)) == [], "air alone was cut off"


def test_a_scan_without_lungs_is_doubted_with_and_without_organs():
    scan = chest()
    voxels = scan.voxels.copy()
    voxels[:, 15:75, 5:85] = 40 + scan.voxels[:, 15:75, 5:85] % 60
    belly = Volume(voxels, scan.affine)
    belly.voxels[:, 40:44, 40:46] = -900  # gas in the bowel
    assert "little_lung" in codes(belly)
    verdicts = {"right_lung": Verdict(heuristic=True), "left_lung": Verdict(("too small",))}
    masks = OrganMasks(np.zeros(scan.shape, np.uint8), scan.affine, "m", verdicts=verdicts)
    assert codes(scan, organs=masks) == ["organ_not_found", "organ_doubted"]


def test_values_that_are_no_hounsfield_units_are_doubted():
    scan = chest()
    shifted = Volume((scan.voxels + 1024).astype(np.int16), scan.affine)
    assert "values_doubted" in codes(shifted)
    repaired = dataclasses.replace(scan, repairs=("one slice was missing.",))
    assert codes(repaired) == ["repaired"]


def test_a_model_that_saw_simulated_chests_alone_says_so():
    assert codes(chest(), provenance=PROVENANCE) == ["simulated_training"]
    card = dataclasses.replace(REAL, trained_on="120 simulated chests")
    assert codes(chest(), provenance=card) == ["simulated_training"]


@pytest.mark.parametrize("turn", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_the_answers_do_not_depend_on_how_the_scan_is_stored(turn):
    scan = chest()
    turned = Volume(scan.voxels.transpose(turn), scan.affine[:, [*turn, 3]])
    flipped = turned.affine.copy()
    flipped[:3, 3] += flipped[:3, 0] * (turned.shape[0] - 1)
    flipped[:3, 0] *= -1
    assert codes(Volume(turned.voxels[::-1].copy(), flipped), seen(scan, before=120)) == [
        "padding"
    ]
