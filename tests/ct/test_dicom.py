"""DICOM: any order of files gives one volume, and every irregularity one sentence."""

import random
import shutil
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.pixels import get_decoder
from pydicom.uid import JPEGLSLossless, RLELossless

from hirescam import errors
from hirescam.ct.files import read_volume
from make import volume
from make_dicom import write_series

SCAN = volume((7, 6, 5), spacing=(3, 2, 1), origin=(10, 20, 30))


@pytest.mark.parametrize(
    "scan",
    [
        SCAN,
        volume((7, 6, 5), spacing=(0.7, 0.6, 0.6), flips=(-1, 1, 1), origin=(1, 2, 3)),
        volume((7, 6, 5), spacing=(3, 2, 1), tilt_deg=25, origin=(-50, 20, 300)),
        volume((2, 6, 5)),
    ],
    ids=["head first", "feet first", "oblique", "two slices"],
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
def test_names_and_order_of_files_mean_nothing(seed, tmp_path):
    shutil.rmtree(tmp_path / "scan", ignore_errors=True)
    files = write_series(tmp_path / "scan", SCAN)
    before = read_volume(tmp_path / "scan")
    names = [f"{index}.ima" for index in range(len(files))]
    random.Random(seed).shuffle(names)
    for file, name in zip(files, names, strict=True):
        file.rename(file.with_name(name))
    after = read_volume(tmp_path / "scan")
    assert np.array_equal(before.voxels, after.voxels)
    assert np.array_equal(before.affine, after.affine)


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


def test_signed_and_twelve_bit_values_are_read_as_stored(tmp_path):
    def signed(header, index):
        header.PixelRepresentation = 1

    def twelve(header, index):  # what lies above the stored bits is no part of the value
        header.BitsStored, header.HighBit = 12, 11
        stored = np.frombuffer(header.PixelData, np.uint16)
        header.PixelData = (stored | 0xF000).tobytes()

    for change, intercept in ((signed, 0), (twelve, -1024)):
        write_series(tmp_path / "scan", SCAN, change=change, intercept=intercept)
        assert np.array_equal(read_volume(tmp_path / "scan").voxels[::-1], SCAN.voxels)


def test_an_empty_element_is_an_absent_one(tmp_path):
    write_series(tmp_path / "scan", SCAN, change=_set(RescaleType="", Modality=""))
    assert read_volume(tmp_path / "scan").shape == SCAN.shape


def test_run_length_encoding_is_decoded(tmp_path):
    write_series(tmp_path / "scan", SCAN, change=lambda header, _: header.compress(RLELossless))
    assert np.array_equal(read_volume(tmp_path / "scan").voxels[::-1], SCAN.voxels)


def test_hidden_files_dicomdir_and_folders_are_passed_over(tmp_path):
    write_series(tmp_path / "scan", SCAN)
    write_series(tmp_path / "scan" / "other", SCAN)
    for name in (".DS_Store", "DICOMDIR"):
        (tmp_path / "scan" / name).write_bytes(b"anything")
    assert read_volume(tmp_path / "scan").shape == SCAN.shape


def _set(**values):
    """Give some slices other values; `of` picks them."""
    picked = values.pop("of", range(100))

    def change(header, index):
        if index in picked:
            for keyword, value in values.items():
                setattr(header, keyword, value)

    return change


def _without(keyword):
    return lambda header, index: delattr(header, keyword)


def _moved(by_index):
    def change(header, index):
        x, y, z = header.ImagePositionPatient
        dx, dy, dz = by_index(index)
        header.ImagePositionPatient = [x + dx, y + dy, z + dz]

    return change


VOXEL, GEOMETRY = errors.VoxelError, errors.GeometryError
IRREGULAR = {
    "two series": (_set(SeriesInstanceUID="1.2.3", of=[0, 1]), GEOMETRY, "2 series of 5 and 2"),
    "another modality": (_set(Modality="MR", of=[3]), VOXEL, "003.dcm: is not a CT slice"),
    "several frames": (_set(NumberOfFrames=2), VOXEL, "several frames"),
    "colours": (_set(SamplesPerPixel=3), VOXEL, "colour"),
    "bright stored as low": (
        _set(PhotometricInterpretation="MONOCHROME1"),
        VOXEL,
        "MONOCHROME2",
    ),
    "another unit": (_set(RescaleType="US"), VOXEL, "Hounsfield"),
    "no slope": (_without("RescaleSlope"), VOXEL, "RescaleSlope"),
    "no intercept": (_without("RescaleIntercept"), VOXEL, "RescaleIntercept"),
    "a flat slope": (_set(RescaleSlope=0), VOXEL, "RescaleSlope of 0"),
    "no rows": (_without("Rows"), VOXEL, "Rows"),
    "no pixels": (_without("PixelData"), errors.ReadError, ".dcm: is damaged"),
    "too few pixels": (_set(PixelData=b"\0\0", of=[4]), errors.ReadError, ".dcm: is damaged"),
    "no position": (_without("ImagePositionPatient"), GEOMETRY, "ImagePositionPatient"),
    "no orientation": (
        _without("ImageOrientationPatient"),
        GEOMETRY,
        "ImageOrientationPatient",
    ),
    "no spacing": (_without("PixelSpacing"), GEOMETRY, "PixelSpacing", "2 numbers"),
    "no size": (_set(PixelSpacing=[0, 1]), GEOMETRY, "[0.0, 1.0]", "above 0 mm"),
    "a mirror": (_set(PixelSpacing=[1, -1]), GEOMETRY, "[1.0, -1.0]", "above 0 mm"),
    "oblong directions": (
        _set(ImageOrientationPatient=[1, 0, 0, 0, 1.1, 0]),
        GEOMETRY,
        "two directions of length 1",
    ),
    "parallel directions": (
        _set(ImageOrientationPatient=[1, 0, 0, 1, 0, 0]),
        GEOMETRY,
        "right angles",
    ),
    "a localizer": (
        _set(ImageOrientationPatient=[0, 1, 0, 0, 0, -1], of=[2]),
        GEOMETRY,
        "1 of 7 slices differ from the others in ImageOrientationPatient",
    ),
    "another spacing": (
        _set(PixelSpacing=[2, 1.1], of=[0, 5]),
        GEOMETRY,
        "2 of 7",
        "PixelSpacing",
    ),
    "another size": (_set(Rows=5, of=[1]), GEOMETRY, "1 of 7", "in Rows"),
    "a doubled slice": (_moved(lambda i: (0, 0, 3 * (i == 4))), GEOMETRY, "1 of 7 slices lie"),
    "a missing slice": (
        _moved(lambda i: (0, 0, -3 * (i >= 4))),
        GEOMETRY,
        "3.000 to 6.000 mm apart",
    ),
    "a growing gap": (
        _moved(lambda i: (0, 0, -0.01 * i * i)),
        GEOMETRY,
        "3.010 to 3.110 mm apart",
    ),
    "a tilted gantry": (_moved(lambda i: (0, 0.8 * i, 0)), GEOMETRY, "14.93° off right angles"),
    "a bent stack": (_moved(lambda i: (0, 0.3 * (i == 3), 0)), GEOMETRY, "mm apart"),
}


@pytest.mark.parametrize("name", IRREGULAR)
def test_an_irregular_series_is_refused(name, tmp_path, refused):
    change, error, *phrases = IRREGULAR[name]
    write_series(tmp_path / "scan", SCAN, change=change)
    refused(tmp_path / "scan", error, *phrases)


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


def test_one_slice_is_refused(tmp_path, refused):
    first, *_ = write_series(tmp_path / "scan", SCAN)
    refused(first, GEOMETRY, "1 slice", "give the folder")


@pytest.mark.parametrize("content", [b"", b"notes", bytes(200)])
def test_a_stranger_in_the_folder_is_refused_by_name(content, tmp_path, refused):
    write_series(tmp_path / "scan", SCAN)
    (tmp_path / "scan" / "notes.txt").write_bytes(content)
    refused(tmp_path / "scan", errors.ReadError, "notes.txt: is not DICOM", "move it out")


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
    refused(tmp_path / "scan", VOXEL, "8-bit (uint8)")


@pytest.mark.skipif(get_decoder(JPEGLSLossless).is_available, reason="a decoder is installed")
def test_a_missing_decoder_names_the_extra_that_brings_it(tmp_path):
    for file in write_series(tmp_path / "scan", SCAN):
        header = dcmread(file)
        header.compress(RLELossless)
        header.file_meta.TransferSyntaxUID = JPEGLSLossless
        header.save_as(file)
    with pytest.raises(errors.MissingPackageError, match=r'pip install "hirescam\[dicom\]"'):
        read_volume(tmp_path / "scan")
