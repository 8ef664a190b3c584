"""check_hounsfield: every real scan passes; every picture, raw or normalised array does not."""

import nibabel as nib
import numpy as np
import pytest

from hirescam import errors
from hirescam.ct.reading import read_volume
from hirescam.ct.validation import check_hounsfield, hounsfield_fault, sample
from hirescam.ct.volume import Volume
from make import affine, shared_data

REAL = [
    "cip64/ct.nii.gz", "cip64/dicom", "imlab/id001_ct.nii.gz", "imlab/id002_ct.nii.gz",
    "ts_aorta/ct.nii.gz", "elastix/ct.nii.gz", "ibsi/nifti/image/phantom.nii.gz", "fuzun",
    "lidc_two_slices", "abdomen/example_ct.nii.gz", "abdomen/dicom",
]  # fmt: skip

TISSUES = {"air": -1000, "lung": -830, "fat": -100, "muscle": 50, "bone": 400}  # HU
SHARES = {"air": 0.3, "lung": 0.2, "fat": 0.15, "muscle": 0.3, "bone": 0.05}


def chest(seed=0):
    """Values of a chest in no order: tissues in their shares, each with noise."""
    random = np.random.default_rng(seed)
    means = random.choice([*TISSUES.values()], p=[*SHARES.values()], size=(30, 40, 40))
    return np.clip(random.normal(means, 25), -1024, 1500).astype(np.float32)


def scaled(values, low, high):
    """A window of HU on [0, 1]."""
    return (np.clip(values, low, high) - low) / (high - low)


def noise(values):
    return np.random.default_rng(0).uniform(-1000, 800, values.shape)


def padded(values):
    """Stored numbers, but for the padding that was taken for HU."""
    return np.where(values < -1000, -1000, values + 1024)


TRAPS = {
    "stored numbers": (lambda it: it + 1024, "1024 too high"),
    "padded stored numbers": (padded, "1024 too high"),
    "stored numbers of CT-RATE": (lambda it: it + 8192, "8192 too high"),
    "rescaled twice": (lambda it: it - 1024, "1024 too low"),
    "rescaled twice, then clipped": (lambda it: np.clip(it - 1024, -1000, 1000), "soft tissue"),
    "inverted": (lambda it: -it, "inverted"),
    "divided by 1000": (lambda it: it / 1000, "divided by 1000"),
    "on [0, 1]": (lambda it: scaled(it, -1000, 1000), "0 … 1"),
    "for a network": (lambda it: scaled(it, -1000, 800) - 0.449, "for a network"),
    "8-bit": (lambda it: np.rint(255 * scaled(it, -1000, 1000)), "8-bit picture"),
    "8-bit in HU": (lambda it: np.rint(255 * scaled(it, -1000, 1000)) * 8 - 1000, "8-bit"),
    "soft-tissue window": (lambda it: np.clip(it, -160, 240), "air or lung"),
    "z-scores": (lambda it: (it - it.mean()) / it.std(), "air or lung"),
    "constant": (lambda it: np.full_like(it, -1000), "1 levels"),
    "noise": (noise, "soft tissue"),
    "twice the slope": (lambda it: 2 * it, "darker than air"),
    "half the slope": (lambda it: it / 2, "perhaps those of a scan at half its scale"),
    "three quarters of the slope": (lambda it: 0.75 * it, "its air lies at"),
}  # fmt: skip


def volume_of(values, spacing=(2.0, 1.0, 1.0)):
    return Volume(values.astype(np.float32), affine(spacing=spacing))


@pytest.mark.parametrize("name", REAL)
def test_real_scans_pass_whole_and_clipped(name):
    scan = read_volume(shared_data("ct", name))
    check_hounsfield(scan)
    check_hounsfield(Volume(np.clip(scan.voxels, -1000, 1000), scan.affine))


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_is_refused_with_its_numbers_and_what_it_could_be(trap):
    change, said = TRAPS[trap]
    values = change(chest()).astype(np.float32)
    with pytest.raises(errors.VoxelError, match="no CT in Hounsfield units") as caught:
        check_hounsfield(volume_of(values))
    message = str(caught.value)
    assert said in message
    assert f"run from {values.min():g} to {values.max():g}" in message
    assert "give the CT itself" in message


@pytest.mark.parametrize("name", ["cip64/ct.nii.gz", "ts_aorta/ct.nii.gz"])
def test_all_traps_made_of_a_real_scan_are_refused(name):
    values = read_volume(shared_data("ct", name)).voxels[::2, ::2, ::2].astype(np.float32)
    passed = [
        trap for trap, (change, _) in TRAPS.items() if hounsfield_fault(change(values)) is None
    ]
    assert passed == []


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("slope", [0.5, 0.6, 0.7, 0.8, 1.25, 1.5, 2])
def test_a_real_scan_at_another_slope_is_refused(name, slope):
    scan = read_volume(shared_data("ct", name)).voxels
    values = sample(scan).astype(np.float32)
    assert hounsfield_fault(slope * values)  # of Hounsfield units
    assert hounsfield_fault(slope * (values + 1024) - 1024)  # of stored numbers


def contrast(values):
    """A third of the muscle is enhanced blood; some of it touches the table and metal."""
    blood = (values > 20) & (np.arange(values.size).reshape(values.shape) % 3 == 0)
    return np.where(blood, values + 250, values)


VARIANTS = {
    "contrast": contrast,
    "metal": lambda it: np.where(np.arange(it.size).reshape(it.shape) % 40 == 0, 3071, it),
    "padding": lambda it: np.where(np.arange(it.size).reshape(it.shape) % 4 == 0, -3024, it),
    "clipped": lambda it: np.clip(it, -1000, 1000),
    "shifted by 10": lambda it: it + 10,
    "noise": lambda it: it + np.random.default_rng(1).normal(0, 30, it.shape),
}


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("variant", VARIANTS)
def test_real_scans_pass_with_contrast_metal_and_noise(name, variant):
    values = sample(read_volume(shared_data("ct", name)).voxels).astype(np.float32)
    assert hounsfield_fault(VARIANTS[variant](values)) is None


def test_a_lung_without_anything_around_it_passes():
    scan = read_volume(shared_data("ct", "cip64/ct.nii.gz"))
    masks = nib.load(shared_data("ct", "cip64/lungs_R1_L2_trachea3.nii.gz"))
    lungs = np.asarray(masks.dataobj).T > 0
    inside = [slice(at.min(), at.max() + 1) for at in np.nonzero(lungs)]
    masked = np.where(lungs, scan.voxels, -1000)[tuple(inside)]
    assert hounsfield_fault(masked.astype(np.float32)) is None


@pytest.mark.parametrize("name", [name for name in REAL if name.endswith("ct.nii.gz")])
@pytest.mark.parametrize("high", [1000, 3071])
def test_an_x_ray_stretched_to_hu_is_refused(name, high):
    scan = read_volume(shared_data("ct", name))
    rays = (np.clip(scan.voxels, -1000, 2000) + 1000.0).sum(axis=1, keepdims=True)
    picture = (rays - rays.min()) / np.ptp(rays) * (high + 1000) - 1000
    with pytest.raises(errors.VoxelError, match="no CT in Hounsfield units"):
        check_hounsfield(volume_of(np.repeat(picture, 8, axis=1)))


def test_what_the_traps_are_made_of_passes():
    check_hounsfield(volume_of(chest()))
    check_hounsfield(volume_of(np.where(chest() < -1000, -3024, chest())))  # padded in HU


@pytest.mark.parametrize("spacing", [(0.02, 0.007, 0.007), (2000.0, 700.0, 700.0)])
def test_voxels_of_no_human_size_are_refused(spacing):
    with pytest.raises(errors.GeometryError, match=r"mm apart, expected 0.05 to 20: .* in mm"):
        check_hounsfield(volume_of(chest(), spacing))


def test_a_place_beyond_any_scanner_is_refused():
    far = Volume(chest(), affine(origin=(0, 3.7e21, 0)))
    with pytest.raises(
        errors.GeometryError, match=r"3.7e\+21 mm from .*, expected at most 10000"
    ):
        check_hounsfield(far)
