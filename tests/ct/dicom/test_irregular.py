"""Every irregular series: refused with its numbers, or repaired on request, folder or zip."""

import numpy as np
import pytest

from hirescam.ct.reading import read_volume
from hirescam.errors import GeometryError, ReadError, VoxelError
from make import volume
from make_dicom import moving, setting, without, write_series, zipped

SCAN = volume((7, 6, 5), spacing=(3, 2, 1), origin=(10, 20, 30))
TISSUE = int(SCAN.voxels.max())

# What is wrong: the error with its numbers, and what a repair puts on record (None: no repair).
IRREGULAR = {
    "missing slice": (
        moving(lambda i: (0, 0, -3 * (i >= 4))),
        (GeometryError, "3.000 to 6.000 mm apart", "expected an even 3.000 mm", "complete"),
        "7 slices 3.000 to 6.000 mm apart became 8 slices 3.000 mm apart: 1 of them",
    ),
    "uneven spacing": (
        moving(lambda i: (0, 0, -2 * max(i - 3, 0))),
        (GeometryError, "3.000 to 5.000 mm apart"),
        "7 slices 3.000 to 5.000 mm apart became 9 slices 3.000 mm apart: 4 of them",
    ),
    "growing gaps": (
        moving(lambda i: (0, 0, -0.1 * i * i)),
        (GeometryError, "3.100 to 4.100 mm apart"),
        "7 slices 3.100 to 4.100 mm apart became 8 slices 3.086 mm apart: 5 of them",
    ),
    "far slice": (
        moving(lambda i: (0, 0, -300 * (i == 6))),
        (GeometryError, "3.000 to 303.000 mm apart"),
        None,
    ),
    "two acquisitions": (
        moving(lambda i: (0, 0, 3 * (i == 4))),
        (GeometryError, "1 of 7 slices lie where another one lies", "one acquisition"),
        "1 of 7 slices lie where another one lies: of each place the slice of the first",
    ),
    "tilted gantry": (
        moving(lambda i: (0, 0.8 * i, 0)),
        (GeometryError, "up to 4.800 mm", "14.93° off right angles", "gantry tilt"),
        "14.93° off right angles, as by gantry tilt: they were moved back",
    ),
    "one slice aside": (
        moving(lambda i: (0, 0.3 * (i == 3), 0)),
        (GeometryError, "shifted within their plane by up to 0.300 mm"),
        "by up to 0.300 mm, 0.00° off right angles, as by gantry tilt: they were moved back",
    ),
    "localizer in the series": (
        setting(of=[2], ImageOrientationPatient=[0, 1, 0, 0, 0, -1]),
        (GeometryError, "1 of 7 slices differ from the others in ImageOrientationPatient"),
        "1 of 7 slices differ from the others in ImageOrientationPatient: they were left out",
    ),
    "another pixel spacing": (
        setting(of=[0, 5], PixelSpacing=[2, 1.1]),
        (GeometryError, "2 of 7 slices differ from the others in PixelSpacing"),
        "2 of 7 slices differ from the others in PixelSpacing: they were left out",
    ),
    "another size": (
        setting(of=[1], Rows=5),
        (GeometryError, "1 of 7 slices differ from the others in Rows"),
        "1 of 7 slices differ from the others in Rows: they were left out",
    ),
    "another modality": (
        setting(of=[3], Modality="MR"),
        (GeometryError, "1 of 7 images of the series are of another kind"),
        "1 of 7 images of the series are of another kind and were left out",
    ),
    "MONOCHROME1": (
        setting(PhotometricInterpretation="MONOCHROME1"),
        (VoxelError, "7 of 7 slices store bright as low (MONOCHROME1)", "MONOCHROME2"),
        "7 slices are displayed inverted (MONOCHROME1): their values were taken as they stand",
    ),
    "padding like tissue": (
        setting(PixelPaddingValue=TISSUE + 1024),
        (VoxelError, f"PixelPaddingValue stands for {TISSUE} HU"),
        f"padding of up to {TISSUE} HU was taken for air",
    ),
    "no slope": (without("RescaleSlope"), (VoxelError, "RescaleSlope", "--assume-hu"), None),
    "no intercept": (
        without("RescaleIntercept"),
        (VoxelError, "RescaleIntercept", "--assume-hu"),
        None,
    ),
    "flat slope": (setting(RescaleSlope=0), (VoxelError, "RescaleSlope of 0"), None),
    "another unit": (
        setting(RescaleType="US"),
        (VoxelError, "RescaleType", "--assume-hu"),
        None,
    ),
    "all of another modality": (
        setting(Modality="MR"),
        (ReadError, "none an original CT", "holds no CT slices"),
        None,
    ),
    "frames without places": (
        setting(NumberOfFrames=2),
        (GeometryError, "holds 2 frames and says of 1 where it lies"),
        None,
    ),
    "colours": (setting(SamplesPerPixel=3), (VoxelError, "colour"), None),
    "a palette": (
        setting(PhotometricInterpretation="PALETTE COLOR"),
        (VoxelError, "colour"),
        None,
    ),
    "high bits": (setting(HighBit=13), (VoxelError, "16 bits below bit 13"), None),
    "no rows": (without("Rows"), (ReadError, "none an original CT"), None),
    "no pixels": (without("PixelData"), (ReadError, ".dcm: is damaged"), None),
    "too few pixels": (
        setting(of=[4], PixelData=b"\0\0"),
        (ReadError, ".dcm: is damaged"),
        None,
    ),
    "no position": (
        without("ImagePositionPatient"),
        (GeometryError, "ImagePositionPatient"),
        None,
    ),
    "no orientation": (
        without("ImageOrientationPatient"),
        (GeometryError, "ImageOrientationPatient"),
        None,
    ),
    "no spacing": (
        without("PixelSpacing"),
        (GeometryError, "PixelSpacing", "2 numbers"),
        None,
    ),
    "no size": (
        setting(PixelSpacing=[0, 1]),
        (GeometryError, "[0.0, 1.0]", "above 0 mm"),
        None,
    ),
    "a mirror": (
        setting(PixelSpacing=[1, -1]),
        (GeometryError, "[1.0, -1.0]", "above 0 mm"),
        None,
    ),
    "oblong directions": (
        setting(ImageOrientationPatient=[1, 0, 0, 0, 1.1, 0]),
        (GeometryError, "two directions of length 1"),
        None,
    ),
    "parallel directions": (
        setting(ImageOrientationPatient=[1, 0, 0, 1, 0, 0]),
        (GeometryError, "right angles"),
        None,
    ),
}


@pytest.mark.parametrize("pack", [lambda folder: folder, zipped], ids=["folder", "zip"])
@pytest.mark.parametrize("name", IRREGULAR)
def test_an_irregular_series_is_refused_or_repaired_on_request(name, pack, tmp_path, refused):
    change, refusal, record = IRREGULAR[name]
    write_series(tmp_path / "scan", SCAN, change=change)
    path = pack(tmp_path / "scan")
    refused(path, *refusal)
    if record is None:
        refused(path, *refusal, on_bad_geometry="repair")
        return
    refused(path, *refusal, "--on-bad-geometry repair")
    repaired = read_volume(path, on_bad_geometry="repair")
    first, *others = repaired.repairs
    assert record in first
    assert len(others) == ("left out" in record or "of each place" in record)
    assert all("of them were interpolated linearly" in repair for repair in others)


def test_a_regular_series_is_read_alike_with_repairs_allowed(tmp_path):
    write_series(tmp_path / "scan", SCAN)
    strict = read_volume(tmp_path / "scan")
    lenient = read_volume(tmp_path / "scan", on_bad_geometry="repair")
    assert strict.repairs == lenient.repairs == ()
    assert np.array_equal(strict.voxels, lenient.voxels)
    assert np.array_equal(strict.affine, lenient.affine)


def test_one_slice_is_refused_or_as_deep_as_its_stated_thickness(tmp_path, refused):
    first, *_ = write_series(tmp_path / "scan", SCAN)
    refused(first, GeometryError, "1 slice", "give the folder")
    alone = read_volume(first, on_bad_geometry="repair")
    assert alone.spacing_mm == pytest.approx((1.5, 2, 1))
    assert "1.500 mm" in alone.repairs[0]


def test_one_slice_without_thickness_is_refused_even_of_a_repair(tmp_path, refused):
    first, *_ = write_series(tmp_path / "scan", SCAN, change=without("SliceThickness"))
    refused(first, GeometryError, "1 slice", on_bad_geometry="repair")


@pytest.mark.parametrize("keyword", ["RescaleSlope", "RescaleIntercept"])
def test_values_without_rescale_are_taken_as_hu_only_if_told_so(keyword, tmp_path):
    write_series(tmp_path / "scan", SCAN, intercept=0, change=_signed_without(keyword))
    read = read_volume(tmp_path / "scan", assume_hu=True)
    assert np.array_equal(read.voxels[::-1], SCAN.voxels)
    assert "7 slices do not say that they are in Hounsfield units" in read.repairs[0]


def test_an_unspecified_unit_is_taken_as_hu_only_if_told_so(tmp_path):
    write_series(tmp_path / "scan", SCAN, change=setting(RescaleType="US"))
    read = read_volume(tmp_path / "scan", assume_hu=True)
    assert np.array_equal(read.voxels[::-1], SCAN.voxels)
    assert len(read.repairs) == 1


def test_slices_with_and_without_rescale_are_never_mixed(tmp_path, refused):
    write_series(tmp_path / "scan", SCAN, change=without("RescaleSlope", of=[2, 3]))
    refused(tmp_path / "scan", VoxelError, "2 of 7 slices do not say", assume_hu=True)


def _signed_without(keyword):
    def change(header, index):
        header.PixelRepresentation = 1
        delattr(header, keyword)

    return change
