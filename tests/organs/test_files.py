"""Organ masks on disk."""

import json

import nibabel as nib
import numpy as np
import pytest

import hirescam
from hirescam.errors import ReadError, WriteError
from hirescam.organs.files import read_organs, save_organs
from hirescam.organs.masks import ORGANS, OrganMasks, Verdict
from make import affine

TRUSTED, DOUBTED = Verdict(), Verdict(("one lung is missing", "it is small"), heuristic=True)


def masks(**options):
    codes = np.random.default_rng(0).integers(0, 4, (5, 6, 7)).astype(np.uint8)
    return OrganMasks(
        codes,
        affine(spacing=(5.0, 2.0, 2.0), **options),
        method="published",
        verdicts={"right_lung": TRUSTED, "left_lung": TRUSTED, "mediastinum": DOUBTED},
        boxes={"mediastinum": (slice(0, 5), slice(1, 4), slice(2, 7))},
    )


@pytest.mark.parametrize("name", ["organs.nii.gz", "organs.nii"])
@pytest.mark.parametrize("options", [{}, {"flips": (-1, 1, -1)}, {"tilt_deg": 20.0}])
def test_masks_come_back_as_they_were_saved(tmp_path, name, options):
    saved = masks(**options)
    read = read_organs(save_organs(saved, tmp_path / name))
    np.testing.assert_array_equal(read.codes, saved.codes)
    np.testing.assert_allclose(read.affine, saved.affine, atol=1e-5)
    assert (read.method, read.organs) == (saved.method, saved.organs)
    assert (read.verdicts, read.boxes) == (saved.verdicts, saved.boxes)
    assert read.volumes_ml == pytest.approx(saved.volumes_ml)


def test_codes_are_background_right_left_mediastinum_in_uint8(tmp_path):
    image = nib.load(save_organs(masks(), tmp_path / "organs.nii.gz"))
    assert image.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(np.asarray(image.dataobj).T, masks().codes)
    assert ORGANS == ("right_lung", "left_lung", "mediastinum")


def test_the_file_has_the_axes_and_affine_of_the_scans_file(tmp_path):
    axes = nib.Nifti1Image(np.zeros((4, 5, 6), np.int16), np.diag([-2.0, 3.0, 4.0, 1.0]))
    nib.save(axes, tmp_path / "scan.nii.gz")
    scan = hirescam.read_volume(tmp_path / "scan.nii.gz")
    found = OrganMasks(np.ones(scan.shape, np.uint8), scan.affine, method="published")
    image = nib.load(save_organs(found, tmp_path / "organs.nii.gz"))
    assert image.shape == axes.shape
    np.testing.assert_array_equal(image.affine, axes.affine)


def test_header_and_json_hold_names_volumes_verdicts_method_and_version(tmp_path):
    path = save_organs(masks(), tmp_path / "organs.nii.gz")
    beside = json.loads((tmp_path / "organs.json").read_text())
    (extension,) = nib.load(path).header.extensions
    assert json.loads(extension.get_content().rstrip(b"\0 ")) == beside
    assert beside["method"] == "published"
    assert beside["hirescam"] == hirescam.__version__
    assert [facts["code"] for facts in beside["organs"].values()] == [1, 2, 3]
    mediastinum = beside["organs"]["mediastinum"]
    assert mediastinum["volume_ml"] == pytest.approx(5 * 3 * 5 * 20 / 1000)
    assert mediastinum["heuristic"] is True
    assert mediastinum["trusted"] is False
    assert mediastinum["reasons"] == list(DOUBTED.reasons)


def test_the_same_masks_give_the_same_bytes(tmp_path):
    first, second = (save_organs(masks(), tmp_path / f / "o.nii.gz") for f in "ab")
    assert first.read_bytes() == second.read_bytes()


def test_another_name_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(WriteError, match=r"organs\.png .*end it in \.nii\.gz or \.nii"):
        save_organs(masks(), tmp_path / "organs.png")
    assert not list(tmp_path.iterdir())


def test_a_refusal_of_the_disk_leaves_the_older_file_whole(tmp_path):
    path = save_organs(masks(), tmp_path / "organs.nii.gz")
    before = path.read_bytes()
    path.with_name("organs.json").unlink()
    path.with_name("organs.json").mkdir()  # nothing can take its place
    with pytest.raises(WriteError, match="cannot write"):
        save_organs(masks(), path)
    assert path.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["organs.json", "organs.nii.gz"]


def test_another_programs_labels_are_refused_with_the_cure(tmp_path):
    image = nib.Nifti1Image(np.ones((3, 3, 3), np.uint8), np.eye(4))
    nib.save(image, tmp_path / "lungs.nii.gz")
    with pytest.raises(ReadError, match=r"lungs\.nii\.gz: holds no names .*import it"):
        read_organs(tmp_path / "lungs.nii.gz")


def test_a_flipped_byte_is_noticed(tmp_path):
    path = save_organs(masks(), tmp_path / "organs.nii.gz")
    damaged = bytearray(path.read_bytes())
    damaged[-6] ^= 1  # in gzip's checksum: every voxel still unpacks
    path.write_bytes(damaged)
    with pytest.raises(ReadError, match=r"organs\.nii\.gz: is damaged"):
        read_organs(path)
