"""Enhanced CT: many slices in one file, each with a place and a rescale of its own."""

import numpy as np
import pytest
from pydicom.uid import RLELossless

from hirescam.ct.dicom.read import list_series
from hirescam.ct.reading import read_volume
from hirescam.errors import GeometryError, ReadError
from make import volume
from make_dicom import write_enhanced, zipped

SCAN = volume((7, 6, 5), spacing=(3, 2, 1), tilt_deg=20, origin=(10, 20, 30))


@pytest.mark.parametrize("pack", [lambda path: path, lambda path: zipped(path.parent)])
def test_every_frame_keeps_its_values_and_its_place(pack, tmp_path):
    (tmp_path / "scan").mkdir()
    path = write_enhanced(tmp_path / "scan" / "enhanced.dcm", SCAN)
    read = read_volume(pack(path))
    assert np.array_equal(read.voxels[::-1], SCAN.voxels)
    np.testing.assert_allclose(read.affine @ [6, 2, 3, 1], SCAN.affine @ [0, 2, 3, 1])
    np.testing.assert_allclose(read.affine @ [0, 5, 1, 1], SCAN.affine @ [6, 5, 1, 1])


def test_each_frame_is_rescaled_by_itself(tmp_path):
    rescale = [(1, -1024 - index) for index in range(7)]
    read = read_volume(write_enhanced(tmp_path / "scan.dcm", SCAN, rescale=rescale))
    assert np.array_equal(read.voxels[::-1], SCAN.voxels)


def test_what_all_frames_share_may_stand_anywhere(tmp_path):
    def move(header):
        (shared,) = header.SharedFunctionalGroupsSequence
        for group in header.PerFrameFunctionalGroupsSequence:
            group.PlaneOrientationSequence = shared.PlaneOrientationSequence
        header.PixelSpacing = shared.PixelMeasuresSequence[0].PixelSpacing
        del header.SharedFunctionalGroupsSequence

    read = read_volume(write_enhanced(tmp_path / "scan.dcm", SCAN, change=move))
    assert np.array_equal(read.voxels[::-1], SCAN.voxels)


def test_compressed_frames_are_decoded(tmp_path):
    path = write_enhanced(
        tmp_path / "scan.dcm", SCAN, change=lambda header: header.compress(RLELossless)
    )
    assert np.array_equal(read_volume(path).voxels[::-1], SCAN.voxels)


def test_a_file_without_an_ending_is_known_by_its_beginning(tmp_path):
    path = write_enhanced(tmp_path / "IM000001", SCAN)
    assert read_volume(path).shape == SCAN.shape
    (found,) = list_series(path)
    assert (found.slices, found.spacing_mm) == (7, (3.0, 2.0, 1.0))


def test_two_files_of_a_series_are_one_scan(tmp_path):
    def under(uid):
        return lambda header: setattr(header, "SeriesInstanceUID", uid)

    halves = [
        type(SCAN)(SCAN.voxels[:4], SCAN.affine),
        type(SCAN)(SCAN.voxels[4:], _from_slice(SCAN.affine, 4)),
    ]
    (tmp_path / "scan").mkdir()
    for index, half in enumerate(halves):
        write_enhanced(tmp_path / "scan" / f"{index}.dcm", half, change=under("1.2.3"))
    assert np.array_equal(read_volume(tmp_path / "scan").voxels[::-1], SCAN.voxels)


def test_a_frame_without_a_place_is_refused(tmp_path, refused):
    def misplace(header):
        del header.PerFrameFunctionalGroupsSequence[3].PlanePositionSequence

    path = write_enhanced(tmp_path / "scan.dcm", SCAN, change=misplace)
    refused(path, GeometryError, "has no ImagePositionPatient")


def test_fewer_places_than_frames_are_refused(tmp_path, refused):
    def shorten(header):
        del header.PerFrameFunctionalGroupsSequence[3]

    path = write_enhanced(tmp_path / "scan.dcm", SCAN, change=shorten)
    refused(path, GeometryError, "holds 7 frames and says of 6 where it lies")


def test_fewer_pixels_than_frames_are_refused(tmp_path, refused):
    def shorten(header):
        header.PixelData = header.PixelData[:-60]

    path = write_enhanced(tmp_path / "scan.dcm", SCAN, change=shorten)
    refused(path, ReadError, "is damaged")


def test_a_frame_left_out_is_repaired_like_a_missing_slice(tmp_path):
    def leave_out(header):
        del header.PerFrameFunctionalGroupsSequence[3]
        header.NumberOfFrames = 6
        frame = 2 * header.Rows * header.Columns
        header.PixelData = header.PixelData[: 3 * frame] + header.PixelData[4 * frame :]

    path = write_enhanced(tmp_path / "scan.dcm", SCAN, change=leave_out)
    read = read_volume(path, on_bad_geometry="repair")
    there = [0, 1, 2, 4, 5, 6]
    assert np.array_equal(read.voxels[there], SCAN.voxels[::-1][there])
    assert "1 of them were interpolated" in read.repairs[0]


def _from_slice(matrix, index):
    moved = matrix.copy()
    moved[:, 3] = matrix @ [index, 0, 0, 1]
    return moved
