"""Padding: what was never measured is air, whatever number stands for it."""

import numpy as np
import pytest

from hirescam.ct.reading import read_volume
from hirescam.errors import VoxelError
from make import volume
from make_dicom import write_series

SCAN = volume((4, 6, 5), spacing=(3, 2, 1))
CORNER = np.s_[:, :2, :2]


def padded(stored, *, signed, **header_values):
    """Put `stored` into a corner of each slice, and say in its header that it is padding."""

    def change(header, index):
        header.PixelRepresentation = int(signed)
        for keyword, value in header_values.items():
            header.add_new(keyword, "SS" if value < 0 else "US", value)
        values = np.frombuffer(header.PixelData, np.uint16).reshape(6, 5).copy()
        values[CORNER[1:]] = np.array(stored).astype(np.int64).astype(np.uint16)
        header.PixelData = values.tobytes()

    return change


@pytest.mark.parametrize(
    ("stored", "signed", "intercept", "elements"),
    [
        (0, False, -1024, {"PixelPaddingValue": 0}),
        (-2000, True, 0, {"PixelPaddingValue": -2000}),
        (-2000, True, 0, {"PixelPaddingValue": 63536}),
        (-2048, True, -1024, {"PixelPaddingValue": -2048}),
        (-1500, True, 0, {"PixelPaddingValue": -2000, "PixelPaddingRangeLimit": -1400}),
        (-1500, True, 0, {"PixelPaddingValue": -1400, "PixelPaddingRangeLimit": -2000}),
    ],
    ids=["zero", "signed", "written unsigned", "far below air", "a range", "a range downward"],
)
def test_padding_is_air_and_all_else_is_as_measured(
    stored, signed, intercept, elements, tmp_path
):
    write_series(
        tmp_path / "scan",
        SCAN,
        intercept=intercept,
        change=padded(stored, signed=signed, **elements),
    )
    read = read_volume(tmp_path / "scan").voxels[::-1]
    expected = SCAN.voxels.copy()
    expected[CORNER] = -1000
    assert read.dtype == np.int16
    assert np.array_equal(read, expected)


def test_padding_that_may_be_tissue_is_refused_or_taken_for_air_on_request(tmp_path, refused):
    change = padded(60000, signed=False, PixelPaddingValue=60000)
    write_series(tmp_path / "scan", SCAN, change=change)
    refused(tmp_path / "scan", VoxelError, "PixelPaddingValue stands for 58976 HU")
    read = read_volume(tmp_path / "scan", on_bad_geometry="repair")
    assert read.voxels.dtype == np.int16
    assert (read.voxels[CORNER] == -1000).all()
    assert "58976 HU" in read.repairs[0]
