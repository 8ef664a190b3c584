"""hirescam segment --dicom: organs as a DICOM Segmentation of the patient's own study."""

import numpy as np
import pydicom
import pytest

from hirescam.cli.main import main
from hirescam.ct.reading import read_volume
from hirescam.organs.external import import_organs
from hirescam.organs.files import read_organs
from hirescam.simulation.chest import simulate
from make_dicom import PLANTED, moving, setting, write_series


def test_organs_of_a_series_come_back_from_dicom_as_they_are_in_nifti(tmp_path):
    scan = simulate(0, spacing_mm=(8.0, 6.0, 6.0)).volume
    write_series(tmp_path / "series", scan, change=setting(StudyInstanceUID="1.2.3"))
    out = tmp_path / "organs.nii.gz"
    with pytest.raises(SystemExit) as ended:
        main(["segment", str(tmp_path / "series"), "-o", str(out), "--dicom"])
    assert not ended.value.code
    written = tmp_path / "organs.dcm"
    assert str(pydicom.dcmread(written).PatientName) == PLANTED
    back = import_organs(written, read_volume(tmp_path / "series"), "hirescam")
    assert np.array_equal(back.codes, read_organs(out).codes)


def test_of_two_acquisitions_the_one_that_was_read_is_written_of(tmp_path):
    scan = simulate(0, spacing_mm=(8.0, 6.0, 6.0)).volume
    told = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.4"}
    for number, shift_mm in ((1, 0), (2, 4)):

        def change(header, index, number=number, shift_mm=shift_mm):
            setting(**told, AcquisitionNumber=number)(header, index)
            moving(lambda _: (0, 0, shift_mm))(header, index)

        write_series(tmp_path / "series" / str(number), scan, change=change)
    command = ["segment", str(tmp_path / "series"), "--dicom", "-o"]
    with pytest.raises(SystemExit, match="--acquisition"):
        main([*command, str(tmp_path / "none.nii.gz")])
    with pytest.raises(SystemExit) as ended:
        main([*command, str(tmp_path / "organs.nii.gz"), "--acquisition", "2"])
    assert not ended.value.code
    written = pydicom.dcmread(tmp_path / "organs.dcm")
    used = {item.ReferencedSOPInstanceUID for item in _referenced(written)}
    second = {
        pydicom.dcmread(file).SOPInstanceUID for file in (tmp_path / "series/2").iterdir()
    }
    assert used == second


def _referenced(header):
    return header.ReferencedSeriesSequence[0].ReferencedInstanceSequence


def test_a_scan_that_is_no_series_is_refused_before_any_work(tmp_path, capsys):
    path = simulate(0, spacing_mm=(12.0, 12.0, 12.0)).volume.to_nifti(tmp_path / "s.nii.gz")
    with pytest.raises(SystemExit, match="is no DICOM series"):
        main(["segment", str(path), "-o", str(tmp_path / "o.nii.gz"), "--dicom"])
    assert [each.name for each in tmp_path.iterdir()] == ["s.nii.gz"]
