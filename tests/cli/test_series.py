"""`hirescam series`: what a folder holds, as lines and as JSON."""

import json

import pytest

from hirescam.cli.scans import series
from hirescam.errors import ReadError
from make import volume
from make_dicom import PLANTED, setting, write_series


@pytest.fixture
def study(tmp_path):
    for uid, slices, kind in (("1.2.1", 2, "LOCALIZER"), ("1.2.2", 5, "AXIAL")):
        change = setting(SeriesInstanceUID=uid, ImageType=["ORIGINAL", "PRIMARY", kind])
        scan = volume((slices, 4, 5), spacing=(2.5, 1, 1))
        write_series(tmp_path / "study" / kind, scan, change=change)
    return tmp_path / "study"


def test_the_scan_comes_first_with_its_size_spacing_and_reason(study, capsys):
    series(study, as_json=False)
    first, uid, *others = capsys.readouterr().out.splitlines()
    assert first.startswith("scan ORIGINAL")
    assert "5 × 4 × 5" in first
    assert "2.5 × 1 × 1 mm" in first
    assert uid.strip() == "1.2.2"
    assert "is a localizer" in others[0]


def test_json_says_the_same(study, capsys):
    series(study, as_json=True)
    out = capsys.readouterr().out
    found = json.loads(out)
    assert [(one["uid"], one["chosen"]) for one in found] == [("1.2.2", True), ("1.2.1", False)]
    assert PLANTED not in out


def test_a_folder_without_series_is_refused(tmp_path):
    with pytest.raises(ReadError, match="holds no files"):
        series(tmp_path, as_json=False)
