"""DICOM: any order of files gives one volume, and every irregularity one sentence."""

import random
import shutil
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hirescam import errors
from hirescam.ct.reading import read_volume
from hirescam.ct.volume import Volume
from make import volume
from make_dicom import setting, write_series, zipped

SCAN = volume((7, 6, 5), spacing=(3, 2, 1), origin=(10, 20, 30))


@pytest.mark.parametrize(
    "scan",
    [
        SCAN,
        volume((7, 6, 5), spacing=(0.7, 0.6, 0.6), flips=(-1, 1, 1), origin=(1, 2, 3)),
        volume((7, 6, 5), spacing=(3, 2, 1), tilt_deg=25, origin=(-50, 20, 300)),
        volume((2, 6, 5)),
        volume((7, 6, 5), spacing=(10, 0.5, 0.5), origin=(1, 2, 3)),
        volume((7, 6, 5), spacing=(1, 0.9, 0.6), tilt_deg=90, flips=(1, -1, 1)),
    ],
    ids=["head first", "feet first", "oblique", "two slices", "thick", "not axial"],
)
def test_every_voxel_keeps_its_value_and_its_place(scan, tmp_path):
    write_series(tmp_path / "scan", scan)
    read = read_volume(tmp_path / "scan")
    turn = np.linalg.inv(read.affine) @ scan.affine
    for index in np.ndindex(scan.shape):
        slice_, row, column = np.rint(turn @ [*index, 1])[:3].astype(int)
        assert read.voxels[slice_, row, column] == scan.voxels[index]
    np.testing.assert_allclose(turn, np.rint(turn), atol=1e-6)
    assert read.voxels.dtype == np.int16


@settings(
    deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 1000))
def test_names_and_order_and_folders_of_files_mean_nothing(seed, tmp_path):
    shutil.rmtree(tmp_path / "scan", ignore_errors=True)
    files = write_series(tmp_path / "scan", SCAN)
    before = read_volume(tmp_path / "scan")
    chance = random.Random(seed)
    names = [f"{index}.ima" for index in range(len(files))]
    chance.shuffle(names)
    for file, name in zip(files, names, strict=True):
        place = tmp_path / "scan" / chance.choice(["a", "b", "b/c"]) / name
        place.parent.mkdir(parents=True, exist_ok=True)
        file.rename(place)
    for path in (tmp_path / "scan", zipped(tmp_path / "scan")):
        after = read_volume(path)
        assert np.array_equal(before.voxels, after.voxels)
        assert np.array_equal(before.affine, after.affine)


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    turn=st.lists(st.floats(-180, 180), min_size=3, max_size=3),
    spacing=st.lists(st.floats(0.3, 10), min_size=3, max_size=3),
    origin=st.lists(st.floats(-500, 500), min_size=3, max_size=3),
    index=st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 1)),
)
def test_on_any_oblique_grid_a_place_in_the_patient_has_its_index_again(
    turn, spacing, origin, index, tmp_path
):
    shutil.rmtree(tmp_path / "scan", ignore_errors=True)
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", turn, degrees=True).as_matrix() * spacing
    matrix[:3, 3] = origin
    scan = Volume(volume((4, 3, 2)).voxels, matrix)
    write_series(tmp_path / "scan", scan)
    read = read_volume(tmp_path / "scan")
    place = scan.affine @ [*index, 1]
    slice_, row, column, _ = np.rint(np.linalg.inv(read.affine) @ place).astype(int)
    assert read.voxels[slice_, row, column] == scan.voxels[index]
    np.testing.assert_allclose(read.affine @ [slice_, row, column, 1], place, atol=1e-3)


def test_each_slice_is_rescaled_by_its_own_header(tmp_path):
    def double(header, index):
        header.RescaleSlope, header.RescaleIntercept = 2, -2048 - index

    write_series(tmp_path / "scan", SCAN, change=double)
    read = read_volume(tmp_path / "scan").voxels
    expected = (SCAN.voxels.astype(int) + 1024) * 2 - 2048 - np.arange(7)[:, None, None]
    assert np.array_equal(read[::-1], expected)


def test_a_broken_slope_gives_fractions(tmp_path):
    write_series(tmp_path / "scan", SCAN, slope=0.5)
    assert read_volume(tmp_path / "scan").voxels.dtype == np.int16
    shutil.rmtree(tmp_path / "scan")
    write_series(tmp_path / "scan", SCAN, slope=0.3)
    read = read_volume(tmp_path / "scan").voxels
    assert read.dtype == np.float32
    assert np.abs(read[::-1] - SCAN.voxels).max() <= 0.151


def test_an_empty_element_is_an_absent_one(tmp_path):
    write_series(tmp_path / "scan", SCAN, change=setting(RescaleType="", Modality=""))
    assert read_volume(tmp_path / "scan").shape == SCAN.shape


def test_positions_written_with_three_decimals_are_even_enough(tmp_path):
    def rounded(header, index):
        header.ImagePositionPatient = np.round(header.ImagePositionPatient, 3).tolist()

    scan = volume((40, 3, 3), spacing=(0.6253, 1, 1), tilt_deg=10)
    write_series(tmp_path / "scan", scan, change=rounded)
    read = read_volume(tmp_path / "scan")
    assert np.array_equal(read.voxels[::-1], scan.voxels)
    np.testing.assert_allclose(
        read.affine @ [39, 0, 0, 1], scan.affine @ [0, 0, 0, 1], atol=1e-3
    )


def test_a_truncated_slice_is_refused_by_name(tmp_path, refused):
    files = write_series(tmp_path / "scan", SCAN)
    files[2].write_bytes(files[2].read_bytes()[:-20])
    refused(tmp_path / "scan", errors.ReadError, "002.dcm: is damaged")


def test_what_pydicom_warns_of_is_not_quoted(tmp_path, recwarn):
    def odd(header, index):
        header["SeriesInstanceUID"].value = "1.02.PLANTED"

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write_series(tmp_path / "scan", SCAN, change=odd)
    assert read_volume(tmp_path / "scan").shape == SCAN.shape
    assert not recwarn.list


def test_eight_bit_slices_are_refused(tmp_path, refused):
    def eight(header, index):
        header.BitsAllocated = header.BitsStored = 8
        header.HighBit = 7
        header.PixelData = header.PixelData[: header.Rows * header.Columns]

    write_series(tmp_path / "scan", SCAN, change=eight)
    refused(tmp_path / "scan", errors.VoxelError, "8-bit (uint8)")
