"""Layouts: published folders list each scan once, and read it by the right reader."""

import numpy as np
import pytest

from hirescam import errors
from hirescam.ct.datasets import list_scans
from hirescam.ct.formats.ct_rate import read_ct_rate
from hirescam.ct.reading import read_volume


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_rad_chestct_is_listed_by_split(tmp_path):
    touch(tmp_path, "tst2.npz", "trn1.npz", "val3.npz", "imgtrain_Labels.csv", "other.npz")
    found = [(scan.name, scan.split) for scan in list_scans(tmp_path)]
    assert found == [("trn1.npz", "train"), ("tst2.npz", "test"), ("val3.npz", "valid")]


def test_a_listed_scan_is_read(tmp_path):
    np.savez(tmp_path / "trn00001.npz", ct=np.zeros((2, 3, 4), np.int16))
    (scan,) = list_scans(tmp_path)
    assert scan.read(scan.path).orientation == "IPL"


def test_of_two_releases_of_ct_rate_the_corrected_one_counts(tmp_path):
    below = "train_1/train_1_a/train_1_a_1.nii.gz"
    touch(tmp_path, f"train/{below}", f"train_fixed/{below}", "valid/valid_1_a_1.nii.gz")
    one, other = list_scans(tmp_path)
    assert one.path == tmp_path / "train_fixed" / below
    assert (one.split, other.split) == ("train", "valid")
    assert one.read is other.read is read_ct_rate
    assert one.read is not read_volume


def test_a_folder_of_something_else_is_refused(tmp_path):
    touch(tmp_path, "scan.nii.gz")
    with pytest.raises(errors.ReadError, match=rf"^{tmp_path.name}: holds no scan named as in"):
        list_scans(tmp_path)
