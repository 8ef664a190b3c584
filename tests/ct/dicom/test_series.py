"""Series: which of several is the scan, and what is said of the others."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from hirescam.ct.dicom.read import list_series
from hirescam.ct.reading import read_volume
from hirescam.errors import GeometryError, ReadError
from make import volume
from make_dicom import PLANTED, setting, write_series, zipped

ORIGINAL = ["ORIGINAL", "PRIMARY", "AXIAL"]
DERIVED = ["DERIVED", "SECONDARY", "MPR"]
LOCALIZER = ["ORIGINAL", "PRIMARY", "LOCALIZER"]


def write(folder, slices, image_type, *, uid, **values):
    scan = volume((slices, 4, 5), seed=slices)
    change = setting(ImageType=image_type, SeriesInstanceUID=uid, **values)
    write_series(folder, scan, change=change)
    return scan


@pytest.fixture
def study(tmp_path):
    """A hospital's folder: a localizer, two original series, and a longer derived one."""
    folder = tmp_path / "study"
    write(folder / "scout", 2, LOCALIZER, uid="1.2.1")
    write(folder / "thick", 12, ORIGINAL, uid="1.2.2")
    write(folder / "thin" / "deeper", 40, ORIGINAL, uid="1.2.3")
    write(folder / "mpr", 60, DERIVED, uid="1.2.4")
    write(folder / "report", 1, ORIGINAL, uid="1.2.5", Modality="SR")
    (folder / "README.txt").write_text("notes")
    return folder


@pytest.mark.parametrize("pack", [lambda folder: folder, zipped], ids=["folder", "zip"])
def test_the_original_series_with_the_most_slices_is_the_scan(pack, study):
    path = pack(study)
    found = list_series(path)
    assert [(one.uid, one.kind, one.slices) for one in found] == [
        ("1.2.3", "ORIGINAL", 40),
        ("1.2.4", "DERIVED", 60),
        ("1.2.2", "ORIGINAL", 12),
        ("1.2.1", "LOCALIZER", 2),
        ("1.2.5", "NO CT", 1),
    ]
    assert [one.reason for one in found] == [
        "is original and has the most slices",
        "was derived from another series",
        "has fewer slices",
        "is a localizer",
        "holds no CT slices",
    ]
    assert [one.chosen for one in found] == [True, False, False, False, False]
    assert read_volume(path).shape == (40, 4, 5)


def test_a_named_series_is_the_scan_whatever_it_is(study):
    for uid, slices in (("1.2.2", 12), ("1.2.4", 60), ("1.2.1", 2)):
        assert read_volume(study, series=uid).shape[0] == slices


@pytest.mark.parametrize("uid", ["1.2.5", "1.2.9", PLANTED, ""])
def test_a_name_that_no_ct_series_has_is_refused_and_not_repeated(uid, study, refused):
    refused(study, ReadError, "5 series", "hirescam series", series=uid)


def test_size_and_spacing_are_listed_and_nothing_of_the_patient(study):
    found = list_series(study)
    assert found[0].size == (4, 5)
    assert found[0].spacing_mm == (1.0, 1.0, 1.0)
    assert PLANTED not in json.dumps([asdict(one) for one in found])


@pytest.mark.parametrize("counts", [(40, 40), (20, 12), (30, 3), (35, 35, 40, 40)])
def test_series_that_rules_cannot_tell_apart_are_refused_with_their_slices(
    counts, tmp_path, refused
):
    for number, slices in enumerate(counts):
        write(tmp_path / "study" / str(number), slices, ORIGINAL, uid=f"1.2.{number}")
    sizes = " and ".join(map(str, sorted(counts, reverse=True)))
    refused(
        tmp_path / "study", GeometryError, f"{len(counts)} series of {sizes} slices", "--series"
    )
    assert not any(one.chosen for one in list_series(tmp_path / "study"))


def test_scans_of_two_studies_may_be_two_patients_and_are_never_chosen_from(tmp_path, refused):
    for number, slices in enumerate((40, 60)):
        study = f"1.3.{number}"
        write(
            tmp_path / str(number),
            slices,
            ORIGINAL,
            uid=f"1.2.{number}",
            StudyInstanceUID=study,
        )
    refused(tmp_path, GeometryError, "2 series of 60 and 40 slices", "not of 2")
    assert read_volume(tmp_path, series="1.2.0").shape[0] == 40


def test_few_slices_are_a_scan_where_nothing_else_is_there(tmp_path):
    write(tmp_path / "study" / "scan", 5, ORIGINAL, uid="1.2.1")
    write(tmp_path / "study" / "scout", 2, LOCALIZER, uid="1.2.2")
    assert read_volume(tmp_path / "study").shape[0] == 5


def test_a_series_that_does_not_say_what_it_is_counts_where_none_is_original(tmp_path):
    write(tmp_path / "study" / "scan", 5, "", uid="1.2.1")
    write(tmp_path / "study" / "mpr", 60, DERIVED, uid="1.2.2")
    assert read_volume(tmp_path / "study").shape[0] == 5
    write(tmp_path / "study" / "original", 3, ORIGINAL, uid="1.2.3")
    assert read_volume(tmp_path / "study").shape[0] == 3


def test_a_localizer_within_the_series_is_set_aside(tmp_path):
    scan = write(tmp_path / "study", 5, ORIGINAL, uid="1.2.1")
    scout = volume((1, 9, 9))
    write_series(
        tmp_path / "study" / "scout",
        scout,
        change=setting(ImageType=LOCALIZER, SeriesInstanceUID="1.2.1"),
    )
    assert np.array_equal(read_volume(tmp_path / "study").voxels[::-1], scan.voxels)


def test_a_derived_image_within_the_series_is_no_slice_of_it(tmp_path, refused):
    write(tmp_path / "study", 5, ORIGINAL, uid="1.2.1")
    write(tmp_path / "study" / "mip", 2, DERIVED, uid="1.2.1")
    refused(tmp_path / "study", GeometryError, "2 of 7 images of the series")
    repaired = read_volume(tmp_path / "study", on_bad_geometry="repair")
    assert repaired.shape[0] == 5
    assert "2 of 7 images" in repaired.repairs[0]


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_a_uid_that_is_none_may_be_a_name_and_is_not_listed(tmp_path):
    write(tmp_path / "study", 5, ORIGINAL, uid=PLANTED)
    (found,) = list_series(tmp_path / "study")
    assert (found.uid, found.chosen) == ("", True)
