"""CT-RATE: either release is read right, and nothing is ever rescaled twice."""

import csv
import json

import nibabel as nib
import numpy as np
import pytest

from hirescam import errors
from hirescam.ct.formats.ct_rate import read_ct_rate
from hirescam.ct.reading import read_volume
from hirescam.ct.validation import check_hounsfield
from make import affine
from make_dicom import PLANTED

NAME = "train_7_a_1.nii.gz"
ROW = {
    "VolumeName": NAME,
    "PatientName": PLANTED,
    "RescaleSlope": "1.0",
    "RescaleIntercept": "-8192.0",
    "XYSpacing": "[0.75, 0.75]",
    "ZSpacing": "1.5",
    "ImagePositionPatient": "[-170.5, -180.25, 1250.0]",
    "ImageOrientationPatient": "[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]",
}
PLACE = affine(spacing=(1.5, 0.75, 0.75), origin=(170.5, 180.25, 1250.0), flips=(-1, 1, 1))


def chest():
    """Air, lung, fat and muscle in layers, with noise, so that they pass for a CT."""
    random = np.random.default_rng(0)
    rows = np.repeat([-1000, -850, -100, 40], 8)[None, :, None]
    return np.rint(random.normal(np.broadcast_to(rows, (12, 32, 40)), 25)).astype(np.int16)


def layout(root, voxels, *, folder="train", place=PLACE, row=ROW):
    """A volume in the published folders, and its table; NIfTI counts columns first."""
    path = root / "dataset" / folder / "train_7" / "train_7_a" / NAME
    path.parent.mkdir(parents=True)
    nib.save(nib.Nifti1Image(voxels.T, place[:, [2, 1, 0, 3]]), path)
    table = root / "dataset" / "metadata" / "train_metadata.csv"
    table.parent.mkdir()
    with table.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, row)
        writer.writeheader()
        writer.writerows([row | {"VolumeName": "train_6_a_1.nii.gz", "ZSpacing": "9"}, row])
    return path


def test_stored_numbers_are_rescaled_and_placed_as_the_table_says(tmp_path):
    path = layout(tmp_path, (chest() + 8192).astype(np.float64), place=np.eye(4))
    scan = read_ct_rate(path)
    assert np.array_equal(scan.voxels, chest())
    np.testing.assert_allclose(scan.affine, PLACE)


def test_hounsfield_units_are_never_rescaled_again(tmp_path):
    path = layout(tmp_path, chest(), folder="train_fixed")
    for scan in (read_ct_rate(path), read_volume(path)):
        assert np.array_equal(scan.voxels, chest())
        np.testing.assert_allclose(scan.affine, PLACE)


def test_stored_numbers_are_refused_by_read_volume_with_the_cure(tmp_path, refused):
    path = layout(tmp_path, chest() + 8192)
    refused(path, errors.VoxelError, "CT-RATE", "stored numbers", "read_ct_rate")


def test_under_another_name_stored_numbers_are_told_by_check_plausible(tmp_path):
    path = layout(tmp_path, chest() + 8192)
    scan = read_volume(path.rename(path.with_name("scan.nii.gz")))
    with pytest.raises(errors.VoxelError, match="never rescaled, 8192 too high"):
        check_hounsfield(scan)


def test_what_becomes_no_scan_either_way_is_refused(tmp_path):
    path = layout(tmp_path, chest() - 1024)
    with pytest.raises(errors.VoxelError, match=f"^{NAME}: is no CT in Hounsfield units"):
        read_ct_rate(path)


def test_a_spacing_that_table_and_file_tell_differently_is_refused(tmp_path):
    path = layout(tmp_path, chest(), row=ROW | {"ZSpacing": "3.0"})
    with pytest.raises(errors.GeometryError, match=r"1.5 × 0.75 × 0.75 mm .* 3 × 0.75 × 0.75"):
        read_ct_rate(path)


def test_a_table_elsewhere_may_be_given_as_csv_or_json(tmp_path):
    path = layout(tmp_path, chest() + 8192)
    table = tmp_path / "dataset" / "metadata" / "train_metadata.csv"
    as_csv = table.rename(tmp_path / "other.csv")
    as_json = tmp_path / "other.json"
    numbers = {"RescaleIntercept": -8192, "XYSpacing": [0.75, 0.75], "RescaleSlope": 1}
    as_json.write_text(json.dumps({NAME: ROW | numbers}))
    for metadata in (as_csv, as_json):
        assert np.array_equal(read_ct_rate(path, metadata).voxels, chest())
    with pytest.raises(errors.ReadError, match=r"no metadata/train_metadata\.csv .* give"):
        read_ct_rate(path)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"VolumeName": "train_8_a_1.nii.gz"}, "RescaleSlope"),
        ({"RescaleSlope": PLANTED}, "RescaleSlope"),
        ({"ImagePositionPatient": "[0, 0]"}, "ImagePositionPatient"),
        ({"XYSpacing": ""}, "XYSpacing"),
    ],
)
def test_a_table_that_lacks_a_number_is_refused_by_its_column(changed, named, tmp_path):
    path = layout(tmp_path, chest() + 8192, row=ROW | changed)
    with pytest.raises(errors.ReadError, match=f"says nothing of {named}") as caught:
        read_ct_rate(path)
    assert PLANTED not in str(caught.value)
