"""Repairs: a field that is linear in space stays what it is at every place in the patient."""

import numpy as np
import pytest

from hirescam.ct.reading import read_volume
from hirescam.ct.volume import Volume
from hirescam.errors import GeometryError
from make import affine, volume
from make_dicom import moving, write_series, zipped

SLOPES = np.array([3.0, -5.0, 7.0])  # HU per mm to the right, front and head
SHAPE = (9, 12, 10)
TILT = np.tan(np.radians(15))

BAD = {  # how far each slice lies from where an even stack with right angles has it, in LPS
    "tilted": lambda i: (0, 2 * TILT * i, 0),
    "tilted the other way, by whole pixels": lambda i: (0, -1.5 * i, 0),
    "swept sideways": lambda i: (0.3 * i, 0, 0),
    "uneven": lambda i: (0, 0, -0.9 * max(i - 4, 0)),
    "with slices missing": lambda i: (0, 0, -2 * (i > 3) - 4 * (i > 6)),
    "tilted and uneven": lambda i: (0.1 * i, 0.5 * i, -0.7 * max(i - 4, 0)),
    "jittered": lambda i: (0.2 * (i % 3), -0.1 * (i % 2), 0.3 * (i % 2)),
}


def read_back(folder, voxels, matrix, move):
    write_series(folder, Volume(voxels, matrix), change=moving(move))
    return read_volume(folder, on_bad_geometry="repair")


def field(matrix, move, shape=SHAPE):
    """A linear field, sampled where each voxel of the moved slices lies."""
    index = np.stack([*np.indices(shape), np.ones(shape)]).reshape(4, -1)
    moves = np.array([move(i) for i in range(shape[0])], dtype=float) * [-1, -1, 1]
    places = (matrix @ index)[:3].reshape(3, *shape) + moves.T[:, :, None, None]
    return np.rint(np.einsum("c,csij->sij", SLOPES, places)).astype(np.int16)


@pytest.mark.parametrize("oblique_deg", [0, 20])
@pytest.mark.parametrize("name", BAD)
def test_a_repaired_scan_shows_everything_where_it_is(name, oblique_deg, tmp_path):
    matrix = affine(spacing=(2, 1.5, 1), origin=(4, -9, 60), tilt_deg=oblique_deg)
    move = BAD[name]
    scan = read_back(tmp_path / "scan", field(matrix, move), matrix, move)
    even = read_back(tmp_path / "even", np.full(SHAPE, 500, np.int16), matrix, move).voxels
    inside = even == 500
    expected = field(scan.affine, lambda i: (0, 0, 0), scan.shape)
    assert scan.repairs
    assert inside.sum() > 0.5 * np.prod(SHAPE)
    assert np.abs(scan.voxels.astype(int) - expected)[inside].max() <= 1
    assert even.min() >= -1000
    assert even.max() <= 500


def test_the_grid_grows_until_no_pixel_is_lost_and_the_rest_is_air(tmp_path):
    matrix = affine(spacing=(2, 1, 1))
    voxels = np.full(SHAPE, 40, np.int16)
    scan = read_back(tmp_path / "scan", voxels, matrix, lambda i: (0, i, 0))
    assert scan.shape == (9, 12 + 8, 10)
    assert (scan.voxels == 40).sum() == voxels.size
    assert (scan.voxels == -1000).sum() == scan.voxels.size - voxels.size


def test_measured_slices_stay_as_they_are_where_others_are_missing(tmp_path):
    whole = volume((10, 6, 5), spacing=(3, 1, 1))
    files = write_series(tmp_path / "scan", whole)
    for gone in (2, 6, 7):
        files[gone].unlink()
    scan = read_volume(zipped(tmp_path / "scan"), on_bad_geometry="repair")
    there = [0, 1, 3, 4, 5, 8, 9]
    assert np.array_equal(scan.voxels[::-1][there], whole.voxels[there])
    assert "3 of them were interpolated" in scan.repairs[0]
    np.testing.assert_allclose(scan.affine @ [9, 0, 0, 1], whole.affine @ [0, 0, 0, 1])


def test_rounded_positions_over_a_gap_are_even_enough(tmp_path):
    def round_and_skip(header, index):
        x, y, z = header.ImagePositionPatient
        header.ImagePositionPatient = [x, y, round(z - 0.625 * (index > 60), 2)]

    whole = volume((120, 3, 3), spacing=(0.625, 1, 1))
    write_series(tmp_path / "scan", whole, change=round_and_skip)
    scan = read_volume(tmp_path / "scan", on_bad_geometry="repair")
    assert len(scan.voxels) == 121
    assert "1 of them were interpolated" in scan.repairs[0]


def test_more_is_never_invented_than_was_measured(tmp_path, refused):
    files = write_series(tmp_path / "scan", volume((12, 4, 4), spacing=(2, 1, 1)))
    for gone in range(4, 12):
        if gone != 11:
            files[gone].unlink()
    refused(tmp_path / "scan", GeometryError, "2.000 to 16.000 mm", on_bad_geometry="repair")


def test_of_two_acquisitions_the_first_is_kept(tmp_path):
    first, second = volume((7, 6, 5)), volume((7, 6, 5), seed=1)
    numbered = iter([2, 1])
    for folder, scan in (("b", second), ("a", first)):
        write_series(tmp_path / "scan" / folder, scan, change=_acquired(next(numbered)))
    scan = read_volume(tmp_path / "scan", on_bad_geometry="repair")
    assert np.array_equal(scan.voxels[::-1], first.voxels)
    assert "7 of 14 slices" in scan.repairs[0]


def test_of_two_files_with_one_slice_one_is_kept(tmp_path):
    scan = volume((7, 6, 5))
    for folder in ("a", "b"):
        write_series(tmp_path / "scan" / folder, scan, change=_acquired(1))
    read = read_volume(tmp_path / "scan", on_bad_geometry="repair")
    assert np.array_equal(read.voxels[::-1], scan.voxels)


def test_of_two_slices_that_differ_and_do_not_say_which_was_first_none_is_kept(
    tmp_path, refused
):
    for folder, seed in (("a", 0), ("b", 1)):
        scan = volume((7, 6, 5), seed=seed)
        write_series(tmp_path / "scan" / folder, scan, change=_acquired(1))
    refused(
        tmp_path / "scan", GeometryError, "two slices in one place", on_bad_geometry="repair"
    )


def _acquired(number):
    def change(header, index):
        header.SeriesInstanceUID = "1.2.3"
        header.AcquisitionNumber = number

    return change
