"""segment_organs on simulated chests, on what is no chest, and on real scans."""

from functools import partial

import nibabel as nib
import numpy as np
import pytest

from hirescam.ct.reading import read_volume
from hirescam.ct.volume import Volume, reorient
from hirescam.errors import TargetError
from hirescam.organs.masks import ORGANS
from hirescam.organs.published import published
from hirescam.organs.segment import METHODS, robust, segment_organs
from hirescam.simulation.chest import simulate
from make import affine, shared_data, volume
from make_turned import askew, noisy, on_turned_grid

SPACING_MM = (1.5, 3.0, 3.0)
ILL_MM = (4.0, 3.0, 3.0)


@pytest.fixture(scope="module")
def chest():
    return simulate(6, findings=["lung_nodule", "lung_mass"], spacing_mm=SPACING_MM)


@pytest.fixture(scope="module")
def found(chest):
    return robust(chest.volume)


def dice(one, other):
    return 2 * (one & other).sum() / (one.sum() + other.sum())


def sensitivity(found, truth):
    return (found & truth).sum() / truth.sum()


def test_the_lungs_of_a_simulated_chest_are_found_each_on_its_side(chest, found):
    for lung in ("right_lung", "left_lung"):
        assert dice(found.mask(lung), chest.organs[lung]) > 0.96
        assert sensitivity(found.mask(lung), chest.organs[lung]) > 0.98
        assert found.verdicts[lung].trusted, found.verdicts[lung]


@pytest.mark.parametrize("label", ["lung_nodule", "lung_mass"])
def test_what_is_dense_in_a_lung_lies_in_its_mask(chest, found, label):
    side = chest.sides[label]
    assert sensitivity(found.mask(f"{side}_lung"), chest.masks[label]) > 0.95


@pytest.mark.parametrize(
    ("seed", "label"),
    [
        (42, "lung_mass"),  # at the hilum
        (122, "lung_consolidation"),  # on the heart, over a wide face
        (27, "lung_consolidation"),  # on the diaphragm
        (45, "lung_pleural_effusion"),  # on both sides
    ],
)
def test_what_touches_heart_wall_or_diaphragm_lies_in_the_mask_of_its_lung(seed, label):
    ill = simulate(seed, findings=[label], spacing_mm=ILL_MM)
    masks, truth = robust(ill.volume), ill.masks[label]
    own = np.zeros_like(truth)
    for side in ("right", "left"):
        if ill.sides[label] in (side, "both"):
            own |= masks.mask(f"{side}_lung")
    assert sensitivity(own, truth) > 0.95


def test_a_consolidation_beside_the_anterior_junction_is_lung():
    ill = simulate(102, findings=["lung_consolidation"], spacing_mm=ILL_MM)
    found = robust(ill.volume).mask("left_lung")
    assert sensitivity(found, ill.masks["lung_consolidation"]) > 0.95


def test_a_mass_astride_the_midplane_is_mediastinum():
    ill = simulate(2, findings=["mediastinum_mass"], spacing_mm=ILL_MM)
    found = robust(ill.volume).mask("mediastinum")
    assert sensitivity(found, ill.masks["mediastinum_mass"]) > 0.98


def test_fluid_around_the_heart_is_no_lung():
    ill = simulate(0, findings=["heart_pericardial_effusion"], spacing_mm=ILL_MM)
    found = robust(ill.volume)
    assert sensitivity(found.mask("mediastinum"), ill.organs["heart"]) > 0.98
    lungs = found.mask("right_lung") | found.mask("left_lung")
    assert sensitivity(lungs, ill.masks["heart_pericardial_effusion"]) < 0.05


def test_heart_and_aorta_lie_in_the_mediastinum(chest, found):
    between = found.mask("mediastinum")
    assert sensitivity(between, chest.organs["heart"]) > 0.98
    assert sensitivity(between, chest.organs["aorta"] & chest.organs["mediastinum"]) > 0.9


def test_the_trachea_lies_in_no_lung(chest, found):
    lungs = found.mask("right_lung") | found.mask("left_lung")
    assert sensitivity(lungs, chest.organs["airways"]) < 0.05


def test_the_order_and_direction_of_the_axes_change_no_voxel(chest, found):
    turned = robust(reorient(chest.volume, "LSA"))
    back = reorient(Volume(turned.codes.astype(np.int16), turned.affine))
    straight = reorient(Volume(found.codes.astype(np.int16), found.affine))
    assert np.array_equal(back.voxels, straight.voxels)


def thicker(volume):
    """Every second slice and the mean with its neighbour: twice the spacing."""
    even = volume.voxels[: len(volume.voxels) // 2 * 2]
    step = np.diag([2.0, 1.0, 1.0, 1.0])
    step[0, 3] = 0.5
    pairs = (even[::2].astype(np.int32) + even[1::2]) // 2
    return Volume(pairs.astype(np.int16), volume.affine @ step)


def narrower(volume):
    """Cropped to the body: the air around is gone."""
    corner = np.eye(4)
    corner[1:3, 3] = 8
    return Volume(volume.voxels[:, 8:-8, 8:-8].copy(), volume.affine @ corner)


OTHERWISE = {
    "thicker": thicker,
    "noisy": noisy,
    "narrower": narrower,
    "oblique": partial(on_turned_grid, axis="x", angle_deg=15.0),
    "askew": partial(askew, angle_deg=15.0),
}


@pytest.mark.parametrize("change", OTHERWISE.values(), ids=OTHERWISE)
def test_sampling_noise_crops_and_turns_change_no_volume_by_more_than_3_percent(
    chest, found, change
):
    changed = robust(change(chest.volume)).volumes_ml
    for organ in ORGANS:
        assert changed[organ] == pytest.approx(found.volumes_ml[organ], rel=0.03), organ


def with_arms_down(volume, room=40, radius_mm=44.0, bone_mm=14.0):
    """A wider scan with an arm at each side, which the body touches: fat, muscle, bone."""
    hu = np.pad(volume.voxels, ((0, 0), (0, 0), (room, room)), constant_values=-1000)
    width_mm = volume.spacing_mm[2]
    body = np.flatnonzero((hu > -300).any(axis=0).sum(axis=0) > 0.2 * hu.shape[1])
    rows, columns = np.ogrid[: hu.shape[1], : hu.shape[2]]
    for edge, outwards in ((body[0], -1), (body[-1], 1)):
        middle = edge + outwards * (radius_mm / width_mm - 1)
        away_mm = np.hypot(rows - hu.shape[1] / 2, columns - middle) * width_mm
        for radius, value in ((radius_mm, -100), (radius_mm - 7, 50), (bone_mm, 600)):
            hu[:, away_mm < radius] = value
    moved = volume.affine.copy()
    moved[:3, 3] -= room * moved[:3, 2]
    return Volume(hu, moved)


def test_arms_beside_the_body_change_no_organ(chest, found):
    room = 40
    wider = robust(with_arms_down(chest.volume, room))
    assert (wider.codes[:, :, room:-room] != found.codes).mean() < 1e-4
    assert np.count_nonzero(wider.codes) == np.count_nonzero(wider.codes[:, :, room:-room])


def test_a_chest_without_a_left_lung_says_so_and_keeps_the_right_one(chest):
    voxels = chest.volume.voxels.copy()
    voxels[chest.organs["left_lung"]] = 20
    masks = robust(Volume(voxels, chest.volume.affine))
    assert masks.verdicts["left_lung"].heuristic
    assert sensitivity(masks.mask("right_lung"), chest.organs["right_lung"]) > 0.97
    assert (masks.codes[chest.organs["left_lung"]] == 1).mean() < 0.01


def ball(hu, radius_mm):
    down, back, left = np.ogrid[-40:40, -40:40, -40:40]
    inside = 3 * np.sqrt(down**2 + back**2 + left**2) < radius_mm
    return np.where(inside, hu, -1000).astype(np.int16)


def with_lung_insert():
    """A water phantom with an insert like lung."""
    return np.where(ball(0, 40) == 0, -800, ball(0, 110)).astype(np.int16)


def head():
    """A skull full of brain, with air in its sinuses."""
    skull = np.where(ball(40, 80) > -1000, 40, ball(900, 90)).astype(np.int16)
    skull[40:48, 20:30, 36:44] = -1000
    return skull


NO_CHEST = {
    "a head": head(),
    "all air": np.full((20, 30, 30), -1000, np.int16),
    "all water": np.zeros((20, 30, 30), np.int16),
    "one voxel": np.zeros((1, 1, 1), np.int16),
    "one slice of noise": np.random.default_rng(0).integers(-1000, 800, (1, 40, 40), np.int16),
    "a water phantom": ball(0, 110),
    "a phantom with an insert": with_lung_insert(),
    "a hollow ball": np.where(ball(0, 80) == 0, -1000, ball(0, 110)).astype(np.int16),
}


@pytest.mark.parametrize("name", NO_CHEST)
def test_what_is_no_chest_gets_a_verdict_against_every_organ(name):
    masks = robust(Volume(NO_CHEST[name], affine(spacing=(3.0, 3.0, 3.0))))
    assert masks.codes.shape == NO_CHEST[name].shape
    for organ in ORGANS:
        assert not masks.verdicts[organ].trusted


def test_the_lungs_of_who_lies_prone_are_not_trusted_for_their_fluid():
    chest = simulate(3, findings=["lung_pleural_effusion"], position="prone", spacing_mm=ILL_MM)
    judged = robust(chest.volume).verdicts
    for lung in ORGANS[:2]:
        assert any("prone" in reason for reason in judged[lung].reasons)


def test_a_belly_under_the_lungs_is_never_trusted(chest):
    floor = np.flatnonzero(chest.organs["right_lung"].any(axis=(1, 2)))[-1] - 8
    foot = np.eye(4)
    foot[0, 3] = floor
    belly = Volume(chest.volume.voxels[floor:].copy(), chest.volume.affine @ foot)
    assert not any(verdict.trusted for verdict in robust(belly).verdicts.values())


def real(folder, truth):
    reference = nib.load(shared_data("ct", folder, truth))
    return np.asarray(reference.dataobj).round().astype(int).T


def test_both_sides_of_a_coarse_real_scan():
    masks = robust(read_volume(shared_data("ct", "cip64", "ct.nii.gz")))
    truth = real("cip64", "lungs_R1_L2_trachea3.nii.gz")
    for code, lung in enumerate(("right_lung", "left_lung"), start=1):
        assert dice(masks.codes == code, truth == code) > 0.95, lung
        assert sensitivity(masks.codes == code, truth == code) > 0.98, lung
    lungs = np.isin(truth, (1, 2)) & np.isin(masks.codes, (1, 2))
    assert (masks.codes != truth)[lungs].mean() < 0.001


def test_both_lungs_of_a_real_scan_with_gas_under_a_raised_diaphragm():
    masks = robust(read_volume(shared_data("ct", "imlab", "id002_ct.nii.gz")))
    lungs, truth = np.isin(masks.codes, (1, 2)), real("imlab", "id002_lung.nii.gz") == 1
    assert dice(lungs, truth) > 0.95
    assert sensitivity(lungs, truth) > 0.98


def test_a_right_lung_at_the_border_of_a_crop_is_right_and_the_left_one_missing():
    masks = robust(read_volume(shared_data("ct", "elastix", "ct.nii.gz")))
    truth = real("elastix", "right_lung.nii.gz") == 1
    assert dice(masks.codes == 1, truth) > 0.95
    assert sensitivity(masks.codes == 1, truth) > 0.98
    assert masks.verdicts["left_lung"].heuristic


def test_heart_of_a_contrast_scan_cut_at_the_sides():
    masks = robust(read_volume(shared_data("ct", "ts_aorta", "ct.nii.gz")))
    truth = real("ts_aorta", "labels.nii.gz")
    assert sensitivity(masks.codes == 3, truth == 3) > 0.98


def test_a_method_is_found_by_name():
    scan = volume()
    masks = segment_organs(scan, "published")
    np.testing.assert_array_equal(masks.codes, published(scan).codes)
    assert masks.method == "published"


def test_an_unknown_method_is_refused_with_those_that_exist():
    with pytest.raises(TargetError, match="'learned': choose one of robust, published"):
        segment_organs(volume(), "learned")


@pytest.mark.parametrize("method", METHODS)
def test_every_method_answers_for_every_organ_on_the_scans_own_grid(method):
    scan = volume((5, 7, 9), flips=(-1, 1, -1))
    masks = segment_organs(scan, method)
    assert masks.organs == ORGANS
    assert masks.codes.shape == scan.shape
    np.testing.assert_array_equal(masks.affine, scan.affine)
    assert masks.method == method
