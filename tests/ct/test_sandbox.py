"""Sandbox: the same scan, or a sentence that names the limit that was met."""

import os
import time

import nibabel as nib
import numpy as np
import pytest

from hirescam.ct.files import read_volume
from hirescam.ct.sandbox import read_volume_sandboxed
from hirescam.errors import GeometryError, ReadError
from make import volume
from make_dicom import moving, write_series


def test_the_same_scan_comes_back_with_its_repairs(tmp_path):
    change = moving(lambda i: (0, 0.8 * i, 0))
    write_series(tmp_path / "scan", volume((7, 6, 5), spacing=(3, 2, 1)), change=change)
    here = read_volume(tmp_path / "scan", on_bad_geometry="repair")
    there = read_volume_sandboxed(tmp_path / "scan", on_bad_geometry="repair")
    assert np.array_equal(here.voxels, there.voxels)
    assert here.voxels.dtype == there.voxels.dtype
    assert np.array_equal(here.affine, there.affine)
    assert here.repairs == there.repairs != ()
    with pytest.raises(GeometryError, match=r"scan: .* gantry tilt"):
        read_volume_sandboxed(tmp_path / "scan")


def test_more_memory_than_allowed_is_refused(tmp_path):
    image = nib.Nifti1Image(np.zeros((500, 500, 400), np.int16), np.eye(4))
    nib.save(image, tmp_path / "large.nii")
    with pytest.raises(ReadError, match=r"large.nii: asks for more memory"):
        read_volume_sandboxed(tmp_path / "large.nii", memory_bytes=100 << 20)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_reading_that_never_ends_is_ended(tmp_path):
    os.mkfifo(tmp_path / "scan.nii")  # whoever opens it waits for a writer
    start = time.monotonic()
    with pytest.raises(ReadError, match=r"scan.nii: was not read within 1 s"):
        read_volume_sandboxed(tmp_path / "scan.nii", seconds=1.0)
    assert time.monotonic() - start < 5


def test_a_process_that_dies_is_told_apart(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONHOME", str(tmp_path))  # an interpreter that cannot start
    write_series(tmp_path / "scan", volume((4, 6, 5)))
    with pytest.raises(ReadError, match=r"scan: decoding it ended the process"):
        read_volume_sandboxed(tmp_path / "scan")
