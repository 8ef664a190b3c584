"""All 80 findings: each has voxels, in its organ, of its density, and changes nothing else."""

from functools import cache

import numpy as np
import pytest
from scipy import ndimage

from hirescam.anatomy import LABELS
from hirescam.simulation.chest import simulate
from hirescam.simulation.findings.kinds import unchanged
from hirescam.simulation.findings.table import FINDINGS
from hirescam.simulation.report import labels_of

SEED = 4
COARSE_MM, FINE_MM = (9.0, 7.0, 7.0), (4.0, 3.0, 3.0)
OUTSIDE = {  # devices that come from outside, or lie in the sternum: share in their organ
    "great_vessel_catheter_or_port": 0.5,
    "heart_catheter_or_port": 0.5,
    "heart_pacemaker_or_defib": 0.05,
    "heart_sternotomy": 0.0,
    "heart_cabg": 0.0,
    "heart_transplant": 0.0,
    "lung_chest_tube": 0.3,
    "lung_catheter_or_port": 0.3,
    "lung_transplant": 0.1,
    "lung_lung_resection": 0.0,
}
MEDIAN_HU = {  # below 0 or above 100 HU where it matters; the rest is soft tissue
    "lung_emphysema": (-1010, -930),
    "lung_groundglass": (-700, -450),
    "lung_pneumothorax": (-1020, -950),
    "lung_pleural_effusion": (-40, 25),
    "lung_cyst": (-1010, -600),
    "lung_consolidation": (-60, 60),
    "lung_mass": (10, 70),
    "lung_plaque": (0, 650),
    "heart_pericardial_effusion": (-5, 30),
    "heart_pericardial_thickening": (5, 80),
    "heart_heart_valve_replacement": (700, 2700),
    "heart_pacemaker_or_defib": (700, 3071),
    "great_vessel_aneurysm": (25, 60),
    "mediastinum_mass": (15, 75),
    "mediastinum_lymphadenopathy": (-20, 60),
    "lung_chest_tube": (-900, 500),
}
LUNGS = {"right_lung", "left_lung"}
GROUPS = [tuple(FINDINGS)[start::8] for start in range(8)]
STILL = tuple(label for label in MEDIAN_HU if FINDINGS[label].change is unchanged)


def shared(label, group):
    """Whether another finding of a group has the same label, so that their masks are one."""
    named = [
        each for each in group if label.removeprefix("lung_") in FINDINGS[each].abnormalities
    ]
    return len(named) > 1


@cache
def chest(*findings, spacing_mm=COARSE_MM):
    return simulate(SEED, findings=findings, spacing_mm=spacing_mm)


def test_every_label_can_be_simulated():
    assert set(FINDINGS) == set(LABELS)


@pytest.mark.parametrize("group", GROUPS)
def test_every_finding_has_voxels_and_its_own_label(group):
    scan = chest(*group)
    assert set(group) <= set(labels_of(scan.cells)) == set(scan.masks)
    assert all(mask.any() for mask in scan.masks.values())


@pytest.mark.parametrize("group", GROUPS)
def test_every_finding_lies_in_its_organ(group):
    scan = chest(*group)
    lungs = scan.organs["right_lung"] | scan.organs["left_lung"]
    for label in group:
        home, mask = (
            lungs if "lung_" in label else scan.organs["mediastinum"],
            scan.masks[label],
        )
        assert (mask & home).sum() >= OUTSIDE.get(label, 0.75) * mask.sum(), label


@pytest.mark.parametrize("group", GROUPS)
def test_the_truth_names_the_side_on_which_the_voxels_lie(group):
    scan = chest(*group)
    for label, side in scan.sides.items():
        if label == "lung_lung_resection" or shared(label, group):
            continue
        touched = {lung for lung in LUNGS if (scan.masks[label] & scan.organs[lung]).any()}
        assert touched == {"both": LUNGS}.get(side, {f"{side}_lung"}), label


@pytest.mark.parametrize("label", STILL)
def test_a_finding_changes_the_scan_only_where_it_lies(label):
    ill, healthy = chest(label, spacing_mm=FINE_MM), chest(spacing_mm=FINE_MM)
    around = ndimage.binary_dilation(ill.masks[label], np.ones((3, 3, 3)), iterations=2)
    changed = np.abs(ill.volume.voxels.astype(int) - healthy.volume.voxels) > 2
    assert changed.any()
    assert (changed & ~around).sum() <= 0.03 * changed.sum()
    for organ in healthy.organs:
        np.testing.assert_array_equal(ill.organs[organ], healthy.organs[organ])


@pytest.mark.parametrize("label", MEDIAN_HU)
def test_a_finding_has_the_density_of_its_tissue(label):
    scan, (low, high) = chest(label, spacing_mm=FINE_MM), MEDIAN_HU[label]
    assert low < np.median(scan.volume.voxels[scan.masks[label]]) < high


def test_a_lung_that_was_removed_has_no_mask_and_draws_the_heart_to_its_side():
    scan, healthy = chest("lung_lung_resection"), chest()
    side = scan.sides["lung_lung_resection"]
    assert not scan.organs[f"{side}_lung"].any()
    right_mm = [
        np.argwhere(each.organs["heart"])[:, 2].mean() * each.volume.affine[0, 2]
        + each.volume.affine[0, 3]
        for each in (scan, healthy)
    ]
    assert (right_mm[0] - right_mm[1]) * {"right": 1, "left": -1}[side] > 8


def test_what_one_finding_implies_is_marked_too():
    scan = chest("heart_heart_failure")
    np.testing.assert_array_equal(
        scan.masks["heart_heart_failure"], scan.masks["heart_cardiomegaly"]
    )
