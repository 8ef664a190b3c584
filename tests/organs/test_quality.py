"""Verdicts: each measure out of anatomy's range is named with its number."""

from dataclasses import replace

import numpy as np
import pytest

from hirescam.ct.volume import Volume
from hirescam.organs.masks import ORGANS, OrganMasks
from hirescam.organs.quality import Measures, judged_on_scan, measure, verdicts
from hirescam.organs.segment import segment_organs
from hirescam.simulation.chest import simulate

GOOD = Measures(
    size_ml={"right_lung": 2500.0, "left_lung": 2200.0, "mediastinum": 1200.0},
    at_border=dict.fromkeys(ORGANS, 0.0),
    dense=dict.fromkeys(ORGANS, 0.1),
    astray=dict.fromkeys(ORGANS[:2], 0.05),
    holes=dict.fromkeys(ORGANS[:2], 0.0),
    aside=0.01,
    bone=0.06,
    sag_hu=30.0,
)


def sized(**sizes_ml):
    return replace(GOOD, size_ml={**GOOD.size_ml, **sizes_ml})


def test_a_healthy_chest_is_trusted():
    assert all(verdict.trusted for verdict in verdicts(GOOD).values())


@pytest.mark.parametrize(
    ("measures", "organ", "words"),
    [
        (sized(right_lung=120.0), "right_lung", "120 mL, expected 700 to 5000 mL"),
        (sized(left_lung=701.0), "left_lung", "3.6 times smaller than the right lung"),
        (sized(mediastinum=5000.0), "mediastinum", "5000 mL"),
        (replace(GOOD, at_border={**GOOD.at_border, "left_lung": 0.04}), "left_lung", "4.0%"),
        (replace(GOOD, dense={**GOOD.dense, "left_lung": 0.55}), "left_lung", "55% of it"),
        (
            replace(GOOD, astray={**GOOD.astray, "left_lung": 0.4}),
            "left_lung",
            "40% of it lies",
        ),
        (replace(GOOD, holes={**GOOD.holes, "right_lung": 0.2}), "right_lung", "20% of its"),
        (
            replace(GOOD, aside=0.05),
            "mediastinum",
            "5% of it lies more than 90 mm from the spine",
        ),
        (replace(GOOD, sag_hu=-31.0), "left_lung", "denser in front than behind by 31 HU"),
        (replace(GOOD, bone=0.001), "right_lung", "0.1% of the body is bone"),
    ],
)
def test_each_measure_out_of_range_is_named_with_its_number(measures, organ, words):
    assert words in " | ".join(verdicts(measures)[organ].reasons)


def test_a_missing_lung_is_heuristic_and_is_told_by_the_mediastinum_too():
    judged = verdicts(sized(left_lung=0.0))
    assert judged["left_lung"].heuristic
    assert "left_lung not found" in judged["mediastinum"].reasons[0]
    assert judged["right_lung"].trusted


def test_a_lung_with_a_hollow_on_the_wrong_side_is_measured_so():
    codes = np.zeros((10, 10, 20), np.uint8)
    codes[1:9, 1:9, 1:9] = 1
    codes[3:7, 3:7, 3:7] = 0
    seen = np.ones(codes.shape, bool)
    measures = measure(np.zeros(codes.shape, np.int16), codes, seen, seen, 5.0, GOOD.size_ml)
    assert measures.holes["right_lung"] == 64 / 512
    assert measures.astray["right_lung"] == 0.5
    assert measures.holes["left_lung"] == measures.astray["left_lung"] == 0.0
    assert measures.at_border["right_lung"] == 0.0


def test_a_mediastinum_that_reaches_far_aside_is_measured_so():
    codes = np.full((2, 2, 80), 3, np.uint8)  # 100 mm to both sides
    seen = np.ones(codes.shape, bool)
    measures = measure(np.zeros(codes.shape, np.int16), codes, seen, seen, 40.0, GOOD.size_ml)
    assert measures.aside == pytest.approx(0.1)


@pytest.fixture(scope="module")
def healthy():
    return simulate(6, findings=[], spacing_mm=(4.0, 3.0, 3.0))


def with_fluid(chest, lung):
    """The lowest quarter of one lung holds fluid."""
    voxels, inside = chest.volume.voxels.copy(), chest.organs[lung]
    below = np.arange(len(voxels)) >= np.quantile(np.nonzero(inside)[0], 0.75)
    voxels[inside & below[:, None, None]] = 15
    return Volume(voxels, chest.volume.affine)


def with_pneumothorax(chest, lung):
    """The front third of one lung is free air."""
    voxels, inside = chest.volume.voxels.copy(), chest.organs[lung]
    front = np.arange(voxels.shape[1]) <= np.quantile(np.nonzero(inside)[1], 1 / 3)
    voxels[inside & front[:, None]] = -1000
    return Volume(voxels, chest.volume.affine)


def test_a_healthy_simulated_chest_is_trusted_still(healthy):
    assert all(verdict.trusted for verdict in segment_organs(healthy.volume).verdicts.values())


@pytest.mark.parametrize("lung", ORGANS[:2])
def test_a_lung_that_lost_its_lower_part_is_not_trusted(healthy, lung):
    judged = segment_organs(with_fluid(healthy, lung)).verdicts
    assert not judged[lung].trusted
    assert not judged["mediastinum"].trusted


def dice(found, truth):
    return 2 * (found & truth).sum() / (found.sum() + truth.sum())


@pytest.mark.parametrize("lung", ORGANS[:2])
def test_air_in_the_pleural_space_belongs_to_the_region_of_its_lung(healthy, lung):
    found = segment_organs(with_pneumothorax(healthy, lung))
    for organ in ORGANS[:2]:
        assert dice(found.mask(organ), healthy.organs[organ]) > 0.95


@pytest.mark.parametrize("by", [90, 150])
def test_lungs_as_dark_as_air_are_found_by_the_vessels_in_them(healthy, by):
    voxels = healthy.volume.voxels
    lungs = healthy.organs["right_lung"] | healthy.organs["left_lung"]
    dark = np.where(lungs & (voxels < -700), np.maximum(voxels - by, -1010), voxels)
    found = segment_organs(Volume(dark.astype(np.int16), healthy.volume.affine))
    for organ in ORGANS[:2]:
        assert dice(found.mask(organ), healthy.organs[organ]) > 0.95


def test_a_round_field_of_view_cuts_lungs_off_and_loses_none(healthy):
    shape = healthy.volume.shape
    rows, columns = np.indices(shape)[1:]
    radius = 0.3 * shape[2]
    outside = np.hypot(rows - shape[1] / 2, columns - shape[2] / 2) > radius
    voxels = np.where(outside, -2000, healthy.volume.voxels).astype(np.int16)
    found = segment_organs(Volume(voxels, healthy.volume.affine))
    for organ in ORGANS[:2]:
        assert dice(found.mask(organ), healthy.organs[organ] & ~outside) > 0.93
    cut = {organ for organ in ORGANS[:2] if (healthy.organs[organ] & outside).any()}
    assert cut, "it does cut lungs"
    assert all("cut off" in " ".join(found.verdicts[organ].reasons) for organ in cut)


def test_what_a_child_s_ribs_enclose_is_not_judged_by_an_adult_s_millimetres(healthy):
    affine = healthy.volume.affine.copy()
    affine[:3, :3] *= 0.6
    judged = segment_organs(Volume(healthy.volume.voxels, affine)).verdicts
    assert all("mm wide" in " ".join(verdict.reasons) for verdict in judged.values())


def test_values_of_half_the_scale_are_not_trusted(healthy):
    half = Volume((healthy.volume.voxels // 2).astype(np.int16), healthy.volume.affine)
    assert not any(verdict.trusted for verdict in segment_organs(half).verdicts.values())


@pytest.fixture(scope="module")
def outside(healthy):
    return OrganMasks(segment_organs(healthy.volume).codes, healthy.volume.affine, "external")


def test_masks_of_another_program_that_fit_are_trusted(healthy, outside):
    judged = judged_on_scan(healthy.volume, outside).verdicts
    assert all(verdict.trusted for verdict in judged.values())


def test_swapped_moved_or_too_large_masks_of_another_program_are_not(healthy, outside):
    swapped = np.array([0, 2, 1, 3], np.uint8)[outside.codes]
    moved = np.roll(outside.codes, 40, axis=2)
    filled = np.where(outside.codes == 0, 3, outside.codes).astype(np.uint8)
    for codes, organs in ((swapped, ORGANS[:2]), (moved, ORGANS[:2]), (filled, ORGANS[2:])):
        wrong = OrganMasks(codes, outside.affine, "external")
        judged = judged_on_scan(healthy.volume, wrong).verdicts
        assert not any(judged[organ].trusted for organ in organs)
