"""Privacy: what names a patient leaves by no way, also not by an error's history."""

import logging
import traceback
import warnings

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.datadict import dictionary_VR, keyword_dict

from hirescam.cli import scans as command
from hirescam.ct.dicom.headers import _KEPT
from hirescam.ct.reading import read_volume
from hirescam.errors import ReadError
from make import volume
from make_dicom import PLANTED, write_enhanced, write_series

SCAN = volume((4, 6, 5))
pytestmark = pytest.mark.filterwarnings(  # of writing; reading is asked to be silent
    "ignore:Invalid value for VR", "ignore:Unknown encoding"
)
NEEDED = [keyword for keyword in _KEPT.split() if keyword != "BitsAllocated"]  # to write pixels
TEXT = ("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC")
TEXT += ("UI", "UR", "UT")


@pytest.fixture
def told(caplog, capfd):
    """All that a reading says by any way, as text."""
    caplog.set_level(logging.DEBUG)

    def read(path, **options):
        caplog.clear()
        history = []
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                history.append(repr(read_volume(path, **options).repairs))
                command.series(path, as_json=False)
                command.series(path, as_json=True)
            except ReadError as error:
                history += traceback.format_exception(error)
        said = [*capfd.readouterr(), caplog.text, *history, *map(str, warned)]
        return "\n".join(said)

    return read


def plant(header, vrs=TEXT, but=()):
    """Write the name into every element of text that there is, but those that are needed."""
    for keyword, tag in keyword_dict.items():
        is_meta = tag >> 16 in (0, 2, 4)
        if keyword and keyword not in but and not is_meta and dictionary_VR(tag) in vrs:
            header.add_new(tag, "LO", PLANTED)
    header.add_new(0x00090010, "LO", PLANTED)
    header.add_new(0x00091001, "LO", PLANTED)


@pytest.mark.parametrize("repair", ["error", "repair"])
def test_a_name_in_every_element_that_is_not_needed_is_never_told(repair, tmp_path, told):
    write_series(
        tmp_path / "scan", SCAN, change=lambda header, _: plant(header, but=_KEPT.split())
    )
    said = told(tmp_path / "scan", on_bad_geometry=repair)
    assert PLANTED not in said
    assert "is the only series" in said


@pytest.mark.parametrize("repair", ["error", "repair"])
@pytest.mark.parametrize("keyword", NEEDED)
def test_a_name_in_an_element_that_is_needed_is_never_told(keyword, repair, tmp_path, told):
    def change(header, index):
        header.add_new(keyword, "LO", PLANTED)

    if keyword.endswith("Sequence"):
        (tmp_path / "scan").mkdir()
        write_enhanced(tmp_path / "scan" / "1.dcm", SCAN, change=lambda it: change(it, 0))
    else:
        write_series(tmp_path / "scan", SCAN, change=change)
    said = told(tmp_path / "scan", on_bad_geometry=repair, series=None)
    assert PLANTED not in said
    assert said.strip()


def test_a_name_in_a_broken_file_is_never_told(tmp_path, told):
    files = write_series(
        tmp_path / "scan", SCAN, change=lambda header, _: plant(header, ("PN",))
    )
    data = files[1].read_bytes()
    for seed in range(20):
        chance = np.random.default_rng(seed)
        broken = bytearray(data)
        for at in chance.integers(132, len(data), 30):
            broken[at] = chance.integers(256)
        files[1].write_bytes(broken)
        assert PLANTED not in told(tmp_path / "scan")


def test_the_name_is_there_to_be_told(tmp_path):
    first, *_ = write_series(tmp_path / "scan", SCAN)
    assert dcmread(first).PatientName == PLANTED
