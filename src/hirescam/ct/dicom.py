"""DICOM: one series becomes one volume; its geometry is checked, never assumed."""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float64, Shaped
from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import pixel_array

from hirescam.ct.hounsfield import hounsfield
from hirescam.ct.lps import affine_from_lps
from hirescam.ct.refusal import refusing
from hirescam.ct.volume import Volume
from hirescam.errors import GeometryError, MissingPackageError, ReadError, VoxelError

# What one header must say: keyword, what its absence means, what is read, what else it is.
_CT_SLICE = (
    ("Modality", "CT", "CT", "is not a CT slice: move it out of the folder"),
    ("NumberOfFrames", 1, 1, "holds several frames: export the series one slice per file"),
    ("SamplesPerPixel", None, 1, "is a colour picture: give the CT series itself"),
    (
        "PhotometricInterpretation",
        None,
        "MONOCHROME2",
        "does not store bright as high (MONOCHROME2): export the series again as CT",
    ),
    (
        "RescaleType",
        "HU",
        "HU",
        "is not scaled to Hounsfield units: export the series again as CT",
    ),
)
_NUMBERS = {  # keyword: how many, what lacks without it
    "Rows": (1, VoxelError),
    "Columns": (1, VoxelError),
    "RescaleSlope": (1, VoxelError),
    "RescaleIntercept": (1, VoxelError),
    "PixelSpacing": (2, GeometryError),
    "ImagePositionPatient": (3, GeometryError),
    "ImageOrientationPatient": (6, GeometryError),
}
_PIXELS = ("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelData")
# Nothing else is parsed, so that nothing else can leak or fail.
_READ = [row[0] for row in _CT_SLICE] + [*_NUMBERS, *_PIXELS, "SeriesInstanceUID"]

_DEFER_BYTES = 4096  # larger values, that is pixels, stay on disk until they are decoded
_SAME = 1e-4  # cosines and millimetres this close were meant to be equal
_UNIT = 1e-3  # of a cosine written with three decimals
_SAME_PLACE_MM = 0.01
_UNEVEN = 0.01  # of a gap: positions are often written with two or three decimals


@dataclass(frozen=True, eq=False)
class _Slice:
    """One file: what it says of itself, its pixels still on disk."""

    path: Path
    header: Dataset
    series: str
    numbers: dict[str, Float64[np.ndarray, "value"]]

    @property
    def position_mm(self) -> Float64[np.ndarray, "3"]:
        return self.numbers["ImagePositionPatient"]


def read_dicom(path: Path) -> Volume:
    """The one series among the files of a folder, each slice rescaled to HU by its own header.

    Slices are ordered by where they lie, whatever their names and numbers say. Hidden files,
    DICOMDIR and folders within the folder are passed over; any other irregularity is a
    `ReadError`.
    """
    slices = [_slice(file) for file in _files(path)]
    _check_one_series(slices)
    _check_alike(slices)
    across, down = _cosines(slices[0])
    slices.sort(key=lambda each: float(np.cross(across, down) @ each.position_mm))
    positions_mm = np.stack([each.position_mm for each in slices])
    _check_even(positions_mm)
    row_mm, column_mm = slices[0].numbers["PixelSpacing"]
    affine = affine_from_lps(
        positions_mm[0], _step(positions_mm), down * row_mm, across * column_mm
    )
    return Volume(np.stack([_plane(each) for each in slices]), affine)


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    files = [
        file
        for file in sorted(path.iterdir())
        if file.is_file() and not file.name.startswith(".") and file.name.upper() != "DICOMDIR"
    ]
    if not files:
        raise ReadError("holds no files itself: give the folder that holds one DICOM series")
    return files


def _slice(path: Path) -> _Slice:
    with refusing(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they quote the header; what we need of it is checked
        try:
            header = dcmread(path, specific_tags=_READ, defer_size=_DEFER_BYTES)
        except InvalidDicomError as error:
            raise ReadError("is not DICOM: move it out of the folder") from error
        for keyword, absent, wanted, otherwise in _CT_SLICE:
            if (header.get(keyword) or absent) != wanted:
                raise VoxelError(otherwise)
        syntax = header.file_meta.TransferSyntaxUID
        if not get_decoder(syntax).is_available:
            raise MissingPackageError(
                f"decoding {syntax.name} needs an optional package: "
                f'pip install "hirescam[dicom]"'
            )
        series = str(header.get("SeriesInstanceUID"))
        numbers = {keyword: _numbers(header, keyword) for keyword in _NUMBERS}
        if not numbers["RescaleSlope"].all():
            raise VoxelError("has a RescaleSlope of 0: export the series again as CT")
        return _Slice(path, header, series, numbers)


def _numbers(header: Dataset, keyword: str) -> Float64[np.ndarray, "value"]:
    count, error = _NUMBERS[keyword]
    value = header.get(keyword)
    found = np.atleast_1d(np.array([] if value is None else value, dtype=float))
    if found.shape != (count,) or not np.isfinite(found).all():
        raise error(
            f"has no {keyword} (expected {count} numbers): export the series again as CT"
        )
    return found


def _check_one_series(slices: Sequence[_Slice]) -> None:
    series = Counter(each.series for each in slices)
    if len(series) > 1:
        sizes = " and ".join(map(str, sorted(series.values(), reverse=True)))
        raise GeometryError(
            f"holds {len(series)} series of {sizes} slices: put one series per folder"
        )
    if len(slices) < 2:
        raise GeometryError(
            "holds 1 slice, expected at least 2: give the folder with all slices of the series"
        )


def _check_alike(slices: Sequence[_Slice]) -> None:
    for keyword in ("Rows", "Columns", "PixelSpacing", "ImageOrientationPatient"):
        values = np.stack([each.numbers[keyword] for each in slices])
        odd = (np.abs(values - np.median(values, axis=0)) > _SAME).any(axis=1).sum()
        if odd:
            raise GeometryError(
                f"{odd} of {len(slices)} slices differ from the others in {keyword}, as a "
                f"localizer does: leave only the slices of one scan in the folder"
            )
    spacing_mm = slices[0].numbers["PixelSpacing"]
    if spacing_mm.min() <= 0:
        raise GeometryError(
            f"PixelSpacing is {spacing_mm.tolist()}, expected two lengths above 0 mm: "
            f"export the series again as CT"
        )


def _cosines(one: _Slice) -> Float64[np.ndarray, "direction 3"]:
    """Where a row leads, and where a column leads, in LPS."""
    cosines = one.numbers["ImageOrientationPatient"].reshape(2, 3)
    if np.abs(cosines @ cosines.T - np.eye(2)).max() > _UNIT:
        raise GeometryError(
            f"ImageOrientationPatient is {cosines.ravel().tolist()}, expected two "
            f"directions of length 1 at right angles: export the series again as CT"
        )
    return cosines / np.linalg.norm(cosines, axis=1, keepdims=True)


def _step(positions_mm: Float64[np.ndarray, "slice 3"]) -> Float[np.ndarray, "3"]:
    return (positions_mm[-1] - positions_mm[0]) / (len(positions_mm) - 1)


def _check_even(positions_mm: Float64[np.ndarray, "slice 3"]) -> None:
    """Refuse slices that no single step can place; whether it is tilted is checked later."""
    gaps_mm = np.linalg.norm(np.diff(positions_mm, axis=0), axis=1)
    doubled = np.count_nonzero(gaps_mm < _SAME_PLACE_MM)
    if doubled:
        raise GeometryError(
            f"{doubled} of {len(positions_mm)} slices lie where another one lies: leave only "
            f"the slices of one acquisition in the folder"
        )
    step = _step(positions_mm)
    expected_mm = positions_mm[0] + np.outer(np.arange(len(positions_mm)), step)
    off_mm = np.linalg.norm(positions_mm - expected_mm, axis=1).max()
    if off_mm > max(_UNEVEN * float(np.median(gaps_mm)), _SAME_PLACE_MM):
        raise GeometryError(
            f"slices lie {gaps_mm.min():.3f} to {gaps_mm.max():.3f} mm apart, expected an even "
            f"{np.median(gaps_mm):.3f} mm: complete the series, or leave one scan in the folder"
        )


def _plane(one: _Slice) -> Shaped[np.ndarray, "row column"]:
    with refusing(one.path):
        slope, intercept = one.numbers["RescaleSlope"][0], one.numbers["RescaleIntercept"][0]
        return hounsfield(pixel_array(one.header), float(slope), float(intercept))
