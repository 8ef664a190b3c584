"""Quirks of real series: kept on record, or refused with numbers and a cure; never mixed."""

import gzip
import os

import numpy as np
import pytest

from hirescam.ct.reading import read_volume
from hirescam.errors import GeometryError, ReadError, VoxelError
from make import volume
from make_dicom import moving, setting, write_series

SCAN = volume((12, 16, 16), spacing=(1.25, 0.7, 0.7), origin=(4, 5, 6))
JITTER = np.random.default_rng(3).uniform(-1, 1, (40, 3))


def without_preamble(file):
    file.write_bytes(file.read_bytes()[132:])


def zipped(file):
    file.with_suffix(".dcm.gz").write_bytes(gzip.compress(file.read_bytes()))
    file.unlink()


KEPT = {  # change of headers, what the record says
    "jitter in depth": (moving(lambda i: (0, 0, 0.05 * JITTER[i, 0])), "the grid was fitted"),
    "jitter in plane": (moving(lambda i: (*(0.02 * JITTER[i, 1:]), 0)), "the grid was fitted"),
    "places of 0.1 mm": (
        lambda header, i: setattr(
            header,
            "ImagePositionPatient",
            [round(float(mm), 1) for mm in header.ImagePositionPatient],
        ),
        "",
    ),
    "spacing of two writers": (setting(PixelSpacing=[0.7, 0.7001], of=(1, 5)), ""),
    "unit HU in lower case": (setting(RescaleType="hu"), ""),
    "unit written out": (setting(RescaleType="Hounsfield Unit"), ""),
    "derived alone": (setting(ImageType=["DERIVED", "PRIMARY", "AXIAL"]), "DERIVED"),
    "padding that no voxel has": (setting(PixelPaddingValue=63536), ""),
    "one acquisition a slice": (
        lambda header, i: setattr(header, "AcquisitionNumber", i + 1),
        "",
    ),
    "abutting passes": (lambda header, i: setattr(header, "AcquisitionNumber", 1 + i // 6), ""),
}


@pytest.mark.parametrize("name", KEPT)
def test_every_voxel_is_kept(name, tmp_path):
    change, recorded = KEPT[name]
    write_series(tmp_path / "scan", SCAN, change=change)
    read = read_volume(tmp_path / "scan")
    same = [np.array_equal(turned, SCAN.voxels) for turned in (read.voxels, read.voxels[::-1])]
    assert any(same)
    assert recorded in " ".join(read.repairs)
    np.testing.assert_allclose(read.spacing_mm, SCAN.spacing_mm, rtol=0.01)


@pytest.mark.parametrize("change", [without_preamble, zipped])
@pytest.mark.parametrize("part", [slice(None), slice(8, None), slice(3, 6)])
def test_slices_in_another_wrapping_are_read(change, part, tmp_path):
    for file in write_series(tmp_path / "scan", SCAN)[part]:
        change(file)
    assert read_volume(tmp_path / "scan").shape == SCAN.shape


def interleaved(folder, **apart):
    write_series(folder / "a", SCAN, change=setting(SeriesInstanceUID="1.2.3", **apart))

    def second(header, index):
        moving(lambda i: (0, 0, 0.625))(header, index)
        header.SeriesInstanceUID = "1.2.3"
        header.AcquisitionNumber, header.KVP = 2, 140

    write_series(folder / "b", SCAN, change=second)
    return folder


@pytest.mark.parametrize("apart", [{"AcquisitionNumber": 1}, {"KVP": 80}])
def test_interleaved_passes_are_refused_and_one_can_be_chosen(apart, tmp_path):
    folder = interleaved(tmp_path / "scan", **apart)
    with pytest.raises(GeometryError, match=r"overlap in depth.*--acquisition"):
        read_volume(folder)
    (name,) = (str(each) for each in apart.values())
    if "AcquisitionNumber" in apart:
        assert read_volume(folder, acquisition=name).shape == SCAN.shape


def test_equal_copies_are_dropped_on_record(tmp_path):
    files = write_series(tmp_path / "scan", SCAN)
    for file in files[2:5]:
        (file.parent / f"copy_{file.name}").write_bytes(file.read_bytes())
    read = read_volume(tmp_path / "scan")
    assert read.shape == SCAN.shape
    assert "3 of 15 slices equal another one" in read.repairs[0]


def test_a_link_that_leads_nowhere_is_refused(tmp_path):
    files = write_series(tmp_path / "scan", SCAN)
    files[-1].unlink()
    files[-1].symlink_to(tmp_path / "annex" / "missing")
    with pytest.raises(ReadError, match="leads nowhere"):
        read_volume(tmp_path / "scan")


def test_signed_voxels_under_an_unsigned_header_are_refused(tmp_path):
    def signed(header, index):
        header.PixelData = SCAN.voxels[index].astype(np.int16).tobytes()
        header.RescaleIntercept = 0

    write_series(tmp_path / "scan", SCAN, change=signed)
    with pytest.raises(VoxelError, match="PixelRepresentation"):
        read_volume(tmp_path / "scan")


@pytest.mark.parametrize("name", ["scan.nii", "scan.nrrd", "scan.mha", "scan.npy", "scan.dcm"])
def test_pipes_and_devices_are_refused_at_once(name, tmp_path):
    os.mkfifo(tmp_path / name)
    with pytest.raises(ReadError, match="no regular file"):
        read_volume(tmp_path / name)
    (tmp_path / name).unlink()
    (tmp_path / name).symlink_to("/dev/zero")
    with pytest.raises(ReadError, match="no regular file"):
        read_volume(tmp_path / name)
