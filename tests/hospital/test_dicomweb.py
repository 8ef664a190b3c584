"""A study is fetched from a DICOMweb server, and what was made of it is stored there."""

import pytest

from hirescam import read_volume
from hirescam.errors import ReadError, WriteError
from hirescam.hospital.dicomweb import WebStudy, fetched, read_address, store

pytest.importorskip("dicomweb_client", reason="dicomweb-client is not installed")


def test_a_study_is_fetched_as_it_was_stored(archive, series):
    for file in series:
        archive.put(file)
    with fetched(read_address(f"{archive.web}/studies/1.2.3.4")) as folder:
        scan = read_volume(folder)
    stored = read_volume(series[0].parent)
    assert (scan.voxels == stored.voxels).all()
    assert (scan.affine == stored.affine).all()
    assert not folder.exists()


def test_what_was_made_is_stored_in_the_study(archive, series):
    archive.put(series[0])
    store(series[1:3], read_address(f"{archive.web}/studies/1.2.3.4"))
    assert archive.modalities() == {"CT": 3}


def test_a_study_that_is_not_there_is_refused(archive):
    with (
        pytest.raises(ReadError, match="no CT series"),
        fetched(read_address(f"{archive.web}/studies/9.9.9")),
    ):
        pass


def test_a_server_that_is_away_is_told_of_without_its_address():
    away = read_address("dicomweb://127.0.0.1:9/dicom-web/studies/1.2")
    with pytest.raises(ReadError, match="does not answer"), fetched(away):
        pass


def test_a_store_that_fails_is_a_write_error(series):
    away = read_address("dicomweb://127.0.0.1:9/dicom-web/studies/1.2.3.4")
    with pytest.raises(WriteError, match="does not take"):
        store(series[:1], away)


def test_addresses_use_tls_save_on_this_machine():
    far = read_address("dicomweb://pacs.example.org/dicom-web/studies/1.2/series/1.2.3")
    assert far == WebStudy("https://pacs.example.org/dicom-web", "1.2", "1.2.3")
    near = read_address("dicomweb:/127.0.0.1:8042/dicom-web/studies/1.2")  # as a Path has it
    assert near == WebStudy("http://127.0.0.1:8042/dicom-web", "1.2")


@pytest.mark.parametrize(
    "text",
    [
        "dicomweb://user:secret@h/studies/1.2",
        "dicomweb://h/studies/1.2?token=secret",
        "dicomweb://h/studies/../1",
        "dicomweb://h/",
        "http://h/studies/1.2",
    ],
)
def test_passwords_and_nonsense_are_refused_and_never_repeated(text):
    with pytest.raises(ReadError) as error:
        read_address(text)
    assert "secret" not in str(error.value)
