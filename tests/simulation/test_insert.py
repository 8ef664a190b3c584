"""Findings inserted into a scan lie in its lungs and leave all else as it was."""

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from hirescam.ct.reading import read_volume
from hirescam.ct.volume import Volume, reorient
from hirescam.errors import HirescamError, ShapeError
from hirescam.organs.masks import OrganMasks
from hirescam.simulation.chest import simulate
from hirescam.simulation.insert import INSERTABLE, insert
from make import shared_data

SOME = (
    "lung_nodulegr1cm",
    "lung_consolidation",
    "lung_groundglass",
    "lung_pleural_effusion",
    "lung_emphysema",
)


def codes_of(scan):
    codes = np.zeros(scan.volume.shape, np.uint8)
    for code, organ in enumerate(("right_lung", "left_lung", "mediastinum"), 1):
        codes[scan.organs[organ]] = code
    return OrganMasks(codes, scan.volume.affine, "truth")


@pytest.fixture(scope="module")
def simulated():
    scan = simulate(2, findings=(), spacing_mm=(4.0, 3.0, 3.0))
    return scan.volume, codes_of(scan)


@pytest.fixture(scope="module")
def real():
    """A whole chest of ChestImagingPlatform with its lungs."""
    volume = read_volume(shared_data("ct", "cip64", "ct.nii.gz"))
    labels = nib.load(shared_data("ct", "cip64", "lungs_R1_L2_trachea3.nii.gz"))
    codes = np.asarray(labels.dataobj).T
    codes = np.where(codes <= 2, codes, 0).astype(np.uint8)
    return volume, OrganMasks(codes, volume.affine, "truth")


@pytest.fixture(params=["simulated", "real"])
def scan(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("finding", SOME)
def test_a_finding_lies_in_the_lungs_and_changes_only_its_place(scan, finding):
    volume, masks = scan
    made = insert(volume, masks, finding, 3)
    lungs = (masks.codes == 1) | (masks.codes == 2)
    assert finding in made.labels
    assert (made.mask & lungs).sum() >= 0.9 * made.mask.sum() > 0
    changed = np.abs(made.volume.voxels.astype(int) - volume.voxels) > 30
    around = ndimage.binary_dilation(made.mask, np.ones((3, 3, 3)), iterations=1)
    assert changed.any()
    assert (changed & ~around).sum() <= 0.15 * changed.sum()
    np.testing.assert_array_equal(made.volume.affine, volume.affine)
    assert made.volume.voxels.dtype == volume.voxels.dtype


def test_the_side_in_the_words_is_that_of_the_patient_whatever_the_axes(simulated):
    volume, masks = simulated
    turned = reorient(volume, "RAS")
    codes = reorient(Volume(masks.codes.astype(np.int16), masks.affine), "RAS").voxels
    other = OrganMasks(codes.astype(np.uint8), turned.affine, "truth")
    straight, back = (
        insert(volume, masks, "lung_mass", 1),
        insert(turned, other, "lung_mass", 1),
    )
    np.testing.assert_array_equal(
        reorient(back.volume, volume.orientation).voxels, straight.volume.voxels
    )
    side = straight.words["side"]
    x = np.argwhere(straight.mask) @ volume.affine[0, :3] + volume.affine[0, 3]
    assert np.sign(x.mean()) == {"right": 1, "left": -1}[side]
    assert straight.words == back.words


def test_the_same_seed_gives_the_same_scan_and_another_seed_another(simulated):
    one, same, other = (insert(*simulated, "lung_nodulegr1cm", seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.volume.voxels, same.volume.voxels)
    assert (one.volume.voxels != other.volume.voxels).any()


def test_a_scan_with_one_lung_gets_its_finding_in_that_lung(simulated):
    volume, masks = simulated
    left = OrganMasks(np.where(masks.codes == 2, 2, 0).astype(np.uint8), masks.affine, "truth")
    made = insert(volume, left, "lung_nodulegr1cm", 4)
    assert made.words["side"] == "left"
    assert (made.mask & (masks.codes == 2)).sum() == made.mask.sum()


def test_what_cannot_be_inserted_is_refused(simulated):
    volume, masks = simulated
    assert "heart_cardiomegaly" not in INSERTABLE
    with pytest.raises(HirescamError, match="heart_cardiomegaly"):
        insert(volume, masks, "heart_cardiomegaly", 0)
    with pytest.raises(HirescamError, match="no lung"):
        insert(volume, OrganMasks(masks.codes * 0, masks.affine, "none"), "lung_mass", 0)
    with pytest.raises(ShapeError, match="segment"):
        insert(volume, OrganMasks(masks.codes[1:], masks.affine, "other"), "lung_mass", 0)
