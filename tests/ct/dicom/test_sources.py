"""Sources: what else lies in folders and zips, and what a zip may not do."""

import os
import shutil
import zipfile

import numpy as np
import pytest

from hirescam.ct.dicom import sources
from hirescam.ct.reading import read_volume
from hirescam.errors import ReadError
from make import volume
from make_dicom import write_series, zipped

SCAN = volume((7, 6, 5), spacing=(3, 2, 1))


@pytest.mark.parametrize("pack", [lambda folder: folder, zipped], ids=["folder", "zip"])
def test_files_of_other_kinds_are_passed_over(pack, tmp_path):
    write_series(tmp_path / "scan" / "a" / "b", SCAN)
    for name in (".DS_Store", "DICOMDIR", "notes.txt", "a/thumbs.db", "a/._000.dcm"):
        (tmp_path / "scan" / name).write_bytes(b"anything but DICOM")
    read = read_volume(pack(tmp_path / "scan"))
    assert np.array_equal(read.voxels[::-1], SCAN.voxels)
    assert read.repairs == ("2 files that are no DICOM were passed over: 1 .db, 1 .txt",)


@pytest.mark.parametrize("content", [b"", bytes(5000)], ids=["empty", "zeros"])
@pytest.mark.parametrize("pack", [lambda folder: folder, zipped], ids=["folder", "zip"])
def test_a_blank_file_may_be_a_lost_slice(pack, content, tmp_path, refused):
    files = write_series(tmp_path / "scan", SCAN)
    files[-1].write_bytes(content)
    path = pack(tmp_path / "scan")
    refused(path, ReadError, "1 files are blank", "fetch them again")
    repaired = read_volume(path, on_bad_geometry="repair")
    assert np.array_equal(repaired.voxels[::-1], SCAN.voxels[:-1])
    assert "1 blank files were passed over" in repaired.repairs[0]


@pytest.mark.parametrize("pack", [lambda folder: folder, zipped], ids=["folder", "zip"])
def test_what_begins_as_dicom_and_breaks_off_is_refused_by_name(pack, tmp_path, refused):
    files = write_series(tmp_path / "scan", SCAN)
    for kept in (140, 200, files[2].stat().st_size - 20):
        whole = files[2].read_bytes()
        files[2].write_bytes(whole[:kept])
        refused(pack(tmp_path / "scan"), ReadError, "002.dcm: ")
        files[2].write_bytes(whole)


def test_a_folder_without_dicom_is_refused_with_what_it_holds(tmp_path, refused):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("notes")
    refused(tmp_path, ReadError, "holds 2 files, none of them DICOM")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("a.nii.gz",), "one scan in another format: give that file, a.nii.gz"),
        (("a.nii.gz", "notes.txt"), "give that file, a.nii.gz"),
        (
            ("a.nii", "b.mha"),
            "2 scans in other formats: give one of those files, such as a.nii",
        ),
    ],
)
def test_a_folder_of_scans_in_other_formats_names_the_file_to_give(
    names, said, tmp_path, refused
):
    for name in names:
        (tmp_path / name).write_bytes(b"whatever it holds")
    refused(tmp_path, ReadError, said)


def test_a_folder_that_contains_itself_is_read_once(tmp_path):
    write_series(tmp_path / "scan", SCAN)
    (tmp_path / "scan" / "again").symlink_to(tmp_path / "scan")
    assert read_volume(tmp_path / "scan").shape == SCAN.shape


def test_more_files_than_any_study_has_are_refused(tmp_path, refused, monkeypatch):
    monkeypatch.setattr(sources, "MOST_FILES", 5)
    write_series(tmp_path / "scan", SCAN)
    refused(tmp_path / "scan", ReadError, "over 5 files")
    refused(zipped(tmp_path / "scan"), ReadError, "over 5 files")


def test_names_in_a_zip_never_become_paths(tmp_path):
    files = write_series(tmp_path / "in" / "scan", SCAN)
    with zipfile.ZipFile(tmp_path / "in" / "scan.zip", "w") as archive:
        for index, file in enumerate(files):
            archive.writestr(f"../../out/{index}.dcm", file.read_bytes())
    shutil.rmtree(tmp_path / "in" / "scan")
    before = sorted(tmp_path.rglob("*"))
    assert read_volume(tmp_path / "in" / "scan.zip").shape == SCAN.shape
    assert sorted(tmp_path.rglob("*")) == before


def test_a_zip_that_inflates_as_no_scan_is_refused(tmp_path, refused):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.dcm", bytes(80 << 20))
    refused(tmp_path / "bomb.zip", ReadError, "over 200 times")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_packed_in_another_way_is_refused(method, tmp_path, refused):
    files = write_series(tmp_path / "scan", SCAN)
    with zipfile.ZipFile(tmp_path / "scan.zip", "w", method) as archive:
        for file in files:
            archive.write(file, file.name)
    refused(tmp_path / "scan.zip", ReadError, "another method than deflate")


def test_an_encrypted_zip_is_refused(tmp_path, refused):
    write_series(tmp_path / "scan", SCAN)
    path = zipped(tmp_path / "scan")
    data = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = data.find(signature)
        while at >= 0:
            data[at + flags] |= 1
            at = data.find(signature, at + 4)
    path.write_bytes(data)
    refused(path, ReadError, "is encrypted")


def test_a_flipped_byte_in_a_zip_is_noticed(tmp_path, refused):
    write_series(tmp_path / "scan", SCAN)
    path = tmp_path / "stored.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted((tmp_path / "scan").iterdir()):
            archive.write(file, file.name)
    data = bytearray(path.read_bytes())
    pixels = data.find((SCAN.voxels[3] + 1024).astype(np.uint16).tobytes())
    data[pixels + 7] ^= 1
    path.write_bytes(data)
    refused(path, ReadError, "003.dcm: is damaged")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_says_so(tmp_path, refused):
    files = write_series(tmp_path / "scan", SCAN)
    files[0].chmod(0)
    refused(tmp_path / "scan", ReadError, "000.dcm: may not be read")
