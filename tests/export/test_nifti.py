"""A map written as NIfTI opens in other programs at its own place."""

import nibabel as nib
import numpy as np
import pytest

from hirescam.errors import WriteError
from hirescam.export.nifti import write_map_nifti
from make import affine

PLACES = {
    "straight": affine(spacing=(2.4, 25.6, 25.6), origin=(40, 50, 60)),
    "oblique": affine(spacing=(2.4, 25.6, 20.0), origin=(40, 50, 60), tilt_deg=17),
    "flipped": affine(spacing=(2.4, 25.6, 25.6), origin=(40, 50, 60), flips=(-1, 1, -1)),
}


def some_map():
    return np.random.default_rng(1).normal(size=(7, 4, 5)).astype(np.float32)


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("name", ["map.nii.gz", "map.nii"])
def test_the_largest_voxel_opens_at_the_patient_coordinates_of_the_largest_cell(
    tmp_path, place, name
):
    values = some_map()
    values[5, 0, 3] = 99
    image = nib.load(write_map_nifti(tmp_path / name, values, place))
    found = np.unravel_index(image.get_fdata().argmax(), image.shape)
    for form in (image.get_sform(), image.get_qform()):
        assert np.allclose(form @ [*found, 1], place @ [5, 0, 3, 1], atol=1e-2)
    assert image.get_data_dtype() == np.float32
    assert np.array_equal(np.asarray(image.dataobj), values.T)


def test_both_forms_speak_of_the_scanner_in_millimetres(tmp_path):
    header = nib.load(write_map_nifti(tmp_path / "m.nii", some_map(), PLACES["oblique"])).header
    assert (int(header["qform_code"]), int(header["sform_code"])) == (1, 1)
    assert header.get_xyzt_units()[0] == "mm"


def test_a_sheared_grid_has_an_sform_alone(tmp_path):
    sheared = PLACES["straight"].copy()
    sheared[0, 0] = 0.7  # a tilted gantry
    image = nib.load(write_map_nifti(tmp_path / "m.nii.gz", some_map(), sheared))
    assert (int(image.header["qform_code"]), int(image.header["sform_code"])) == (0, 1)
    assert np.allclose(image.affine, sheared[:, [2, 1, 0, 3]], atol=1e-5)


def test_the_same_map_gives_the_same_bytes_whatever_its_name_and_the_time(tmp_path):
    one, other = tmp_path / "one.nii.gz", tmp_path / "other.nii.gz"
    for path in (one, other):
        write_map_nifti(path, some_map(), PLACES["straight"])
    assert one.read_bytes() == other.read_bytes()
    assert one.read_bytes()[4:8] == bytes(4)  # where gzip keeps the time


def test_a_refused_write_is_one_sentence_and_leaves_nothing(tmp_path):
    (tmp_path / "m.nii.gz").mkdir()
    with pytest.raises(WriteError, match=r"m\.nii\.gz: .* choose another folder"):
        write_map_nifti(tmp_path / "m.nii.gz", some_map(), PLACES["straight"])
    assert [path.name for path in tmp_path.iterdir()] == ["m.nii.gz"]
