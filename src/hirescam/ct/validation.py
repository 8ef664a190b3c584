"""Validation: size limits, Hounsfield units, and what is wrong with a file as one sentence."""

import math
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePath

import numpy as np
from jaxtyping import Shaped
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from pydicom.errors import BytesLengthException

from hirescam.ct.volume import Volume
from hirescam.errors import GeometryError, ReadError, VoxelError

# --- Limits: how large a scan may be, checked on what its header announces, before it is read

MOST_VOXELS = 1 << 31  # over six times 512 × 512 × 1,200
MOST_INFLATION = 200  # a chest shrinks 2- to 5-fold; one that is nearly all air, 100-fold
_ALWAYS_FINE_BYTES = 64 << 20


def announced_bytes(shape: Sequence[int], voxel_bytes: int) -> int:
    """Bytes of the voxels that a header announces, or `VoxelError` if no scan has so many."""
    voxels = math.prod(shape)
    if voxels > MOST_VOXELS:
        raise VoxelError(
            f"announces {voxels} voxels {tuple(shape)}, expected at most {MOST_VOXELS}: "
            f"check its header, or cut the scan"
        )
    return voxels * voxel_bytes


def check_inflation(announced: int, held: int) -> None:
    """Refuse compressed voxels that would grow as no scan does, before memory is taken."""
    if announced > max(_ALWAYS_FINE_BYTES, MOST_INFLATION * held):
        raise ReadError(
            f"announces {announced} bytes of voxels in a file of {held}, which is over "
            f"{MOST_INFLATION} times as much: it is no scan; if it is, write it uncompressed"
        )


# --- Refusal: what a library raises over a bad file becomes one sentence that names the file

OR_REPAIR = "or read it repaired (on_bad_geometry='repair', --on-bad-geometry repair)"

# First match wins. Libraries' own words are not repeated: they may quote what a file says of
# its patient.
_REASONS: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((PermissionError,), "may not be read by this user: ask for permission to read it"),
    ((RecursionError,), "is nested deeper than any scan: fetch it again from its source"),
    ((MemoryError,), "asks for more memory than there is: check the size that it states"),
    (
        (
            ArithmeticError,
            AttributeError,  # pydicom, over a missing element
            BytesLengthException,
            EOFError,
            HeaderDataError,
            ImageFileError,
            LookupError,
            OSError,
            RuntimeError,  # SimpleITK, over everything
            ValueError,
            struct.error,
            zipfile.BadZipFile,
            zlib.error,
        ),
        "is damaged, cut short, or not what its name says: fetch it again from its source",
    ),
)
_UNREADABLE = tuple(kind for kinds, _ in _REASONS for kind in kinds)


@contextmanager
def as_read_error(path: PurePath) -> Iterator[None]:
    """Within, whatever is wrong with a file is a `ReadError` that begins with its name.

    Nested, the names read from folder to file.
    """
    try:
        yield
    except ReadError as error:
        raise type(error)(f"{path.name}: {error}") from error
    except _UNREADABLE as error:
        reason = next(reason for kinds, reason in _REASONS if isinstance(error, kinds))
        raise ReadError(f"{path.name}: {reason}") from None  # its words may name the patient


# --- Repairs: what is wrong with a series is refused, or mended and put on record


@dataclass(frozen=True)
class Repairs:
    """Whether the caller allows repairs, and those that were made: sentences with numbers."""

    allowed: bool
    made: list[str] = field(default_factory=list)

    def make(self, repair: str, *, instead_of: ReadError) -> None:
        """Put the repair on record, or raise the error, which then names the way to here."""
        if not self.allowed:
            raise type(instead_of)(f"{instead_of}, {OR_REPAIR}")
        self.made.append(repair)


# --- Hounsfield units: stored numbers in the smallest type that holds them exactly

_INT16 = np.iinfo(np.int16)


def hounsfield(
    stored: Shaped[np.ndarray, "row column"], slope: float = 1.0, intercept: float = 0.0
) -> Shaped[np.ndarray, "row column"]:
    """`stored * slope + intercept` as int16 where that is exact, else as float32.

    Raises `VoxelError` for 8-bit, colour and complex numbers, which are never Hounsfield units.
    """
    if stored.dtype.kind not in "iuf" or stored.dtype.itemsize == 1:
        raise VoxelError(
            f"values are {_described(stored.dtype)}, expected Hounsfield units of at least "
            f"16 bits: give the CT itself, not a picture or a mask"
        )
    scaled = (slope, intercept) != (1, 0)
    if stored.dtype == np.int16 and not scaled:
        return stored
    exact = stored.dtype.kind in "iu" and slope == int(slope) and intercept == int(intercept)
    if exact and _fits(int(slope) * end + int(intercept) for end in _ends(stored)):
        whole = stored.astype(np.int16)  # each step may wrap around; the result, which fits,
        whole *= _wrapped(slope)  # is right all the same
        whole += _wrapped(intercept)
        return whole
    with np.errstate(over="ignore", invalid="ignore"):  # infinite and NaN are refused as such
        values = stored.astype(np.float64) * slope + intercept
        fits = _fits(_ends(values)) and np.array_equal(values, np.rint(values))
        return values.astype(np.int16 if fits else np.float32)


def _ends(values: Shaped[np.ndarray, "row column"]) -> list[int | float]:
    return [values.min().item(), values.max().item()]


def _fits(numbers: Iterable[int | float]) -> bool:
    return all(_INT16.min <= number <= _INT16.max for number in numbers)


def _wrapped(number: float) -> np.int16:
    return np.uint16(int(number) & 0xFFFF).astype(np.int16)


def check_three_axes(shape: Sequence[int]) -> None:
    """Refuse what is not one three-dimensional scan."""
    if len(shape) != 3 or min(shape) < 1:
        raise VoxelError(
            f"has {len(shape)} axes {tuple(shape)}, expected 3 of at least 1 voxel: "
            f"give one 3-D scan alone"
        )


def _described(dtype: np.dtype) -> str:
    if dtype.kind in "iub":
        return f"8-bit ({dtype.name})"
    return "complex" if dtype.kind == "c" else "colours" if dtype.names else dtype.name


# --- check_hounsfield: whether values can be the Hounsfield units of a person
# Every scan of a trunk holds air or lung and soft tissue, with little between them. Pictures,
# stored numbers that were never rescaled, and normalised arrays do not. Air, fat and muscle are
# where they belong; at another slope or intercept they are not.

# Bands in HU, and what they must hold. Of ten real scans of seven sources, crops, contrast and
# emphysema among them, the nearest to each bound had 0.01 %, 27 %, 22 %, 64 %, 8 %, 8.7-fold.
_BELOW_AIR, _MOST_BELOW = (-1990.0, -1150.0), 0.05  # padding is stored as −2000 or less
_AIR_OR_LUNG, _LEAST_AIR = (-1100.0, -500.0), 0.01
_SOFT_TISSUE, _LEAST_SOFT, _LEAST_SOFT_OF_BODY = (-150.0, 150.0), 0.03, 0.25
_BODY = (-500.0, np.inf)
_DENSE, _MOST_DENSE_OF_BODY = (500.0, 1250.0), 0.25
_BETWEEN, _LEAST_PEAK = (-500.0, -200.0), 2.0
_PADDING_HU = -1600.0  # padding lies below
# Half a percent of the voxels is darker than its first bound, and the commonest value of the
# next 100 HU lies in the second: air in or around the body. Of twelve real scans, −1052 to
# −1000, and −1032 to −951.
_DARKEST, _DARKEST_HU, _AIR_LEVEL = 0.5, -880.0, (-1080.0, -700.0)
# Voxels for each HU: the valley between fat and muscle has at most 1.5 times as many as the
# higher of both, muscle at least 0.08 times as many as fat; of twelve real scans, up to 0.79,
# and from 0.5.
_FAT, _VALLEY, _MUSCLE = (-130.0, -60.0), (-40.0, -10.0), (20.0, 90.0)
_MOST_VALLEY, _LEAST_MUSCLE = 1.5, 0.08
_BODY_FOR_PEAKS, _SOFT_FOR_PEAKS = 0.15, 0.2  # shares: with less, borders outweigh tissue
# Enhanced blood has at most as many voxels as fat, muscle and organs where there is next to no
# fat; of twelve real scans, 0.23 times as many.
_ENHANCED, _MOST_ENHANCED, _LEAST_FAT = (130.0, 350.0), 1.0, 0.1
# So much air and lung, with little denser than lung, is a lung cut out: it need not hold soft
# tissue.
_LUNG, _LEAST_LUNG, _ONLY_LUNG = (-960.0, -600.0), 0.3, 0.8
_DENSER, _MOST_DENSER = (-650.0, -400.0), 0.2
_MIRRORED = (-1100.0, -1030.0)

_GREY_LEVELS = 256
_SPACING_MM = (0.05, 20.0)
_FARTHEST_MM = 10_000.0  # tables move by two metres
_SAMPLES_PER_AXIS = 128

# What the values could be: if undone, they would be plausible.
_GUESSES: tuple[tuple[str, Callable[[np.ndarray], np.ndarray]], ...] = (
    ("an inverted scan", lambda it: -it),
    ("stored numbers that were never rescaled, 1024 too high", lambda it: it - 1024),
    ("stored numbers that were never rescaled, 8192 too high", lambda it: it - 8192),
    ("a scan rescaled twice, 1024 too low", lambda it: it + 1024),
    ("a scan rescaled twice, 8192 too low", lambda it: it + 8192),
    ("a scan at half its scale", lambda it: it * 2),
    ("a scan at twice its scale", lambda it: it / 2),
    ("a scan divided by 1000", lambda it: it * 1000),
    ("a scan normalised from −1000 … 1000 HU to 0 … 1", lambda it: it * 2000 - 1000),
    ("a scan normalised for a network", lambda it: (it + 0.449) * 1800 - 1000),
    ("an 8-bit picture of −1000 … 1000 HU", lambda it: it * (2000 / 255) - 1000),
)


def check_hounsfield(volume: Volume) -> None:
    """Refuse what cannot be a CT of a person in HU: pictures, raw, inverted, normalised values.

    Raises `VoxelError` with what was found, what was expected and what the values could be
    instead; `GeometryError` for voxels of no human size or place. Takes some 50 ms.
    """
    _check_size(volume)
    values = sample(volume.voxels)
    fault = hounsfield_fault(values)
    if fault:
        raise VoxelError(
            f"is no CT in Hounsfield units: {fault}, and values run from {values.min():g} to "
            f"{values.max():g}{_guess(values)}: give the CT itself, rescaled to HU once"
        )


def _check_size(volume: Volume) -> None:
    if not all(_SPACING_MM[0] <= spacing <= _SPACING_MM[1] for spacing in volume.spacing_mm):
        found = " × ".join(f"{spacing:.4g}" for spacing in volume.spacing_mm)
        raise GeometryError(
            f"voxels lie {found} mm apart, expected {_SPACING_MM[0]:g} to {_SPACING_MM[1]:g}: "
            f"write the scan again with its spacing in mm"
        )
    far_mm = np.abs(volume.affine[:3, 3]).max()
    if far_mm > _FARTHEST_MM:
        raise GeometryError(
            f"its first voxel lies {far_mm:.4g} mm from the scanner's centre, expected at most "
            f"{_FARTHEST_MM:g}: write the scan again with its place in mm"
        )


def hounsfield_fault(values: Shaped[np.ndarray, "..."]) -> str | None:
    """What keeps values from being a CT in HU, with its numbers; None if nothing does."""
    levels = len(np.unique(values))
    if levels <= _GREY_LEVELS < values.size / 10:
        return f"its values take on {levels} levels, no more than an 8-bit picture"
    return _tissue_fault(values)


def _tissue_fault(values: Shaped[np.ndarray, "..."]) -> str | None:
    bands = (_BELOW_AIR, _AIR_OR_LUNG, _SOFT_TISSUE, _BODY, _DENSE, _BETWEEN)
    below, air, soft, body, dense, between = (_share(values, band) for band in bands)
    only_lung = (
        air > _ONLY_LUNG
        and _share(values, _LUNG) > _LEAST_LUNG
        and _share(values, _DENSER) < _MOST_DENSER
    )
    faults = (
        (
            below > _MOST_BELOW,
            f"{below:.1%} of it is darker than air (−1990 to −1150 HU), expected at most 5 %",
        ),
        (
            air < _LEAST_AIR,
            f"{air:.1%} of it is air or lung (−1100 to −500 HU), expected at least 1 %",
        ),
        (
            not only_lung and soft < max(_LEAST_SOFT, _LEAST_SOFT_OF_BODY * body),
            f"{soft:.1%} of it is soft tissue (−150 to 150 HU), expected at least 3 %, and a "
            f"quarter of the {body:.1%} that are body",
        ),
        (
            dense > _MOST_DENSE_OF_BODY * body,
            f"{dense:.1%} of it is dense bone (500 to 1250 HU), expected at most a quarter of "
            f"the {body:.1%} that are body",
        ),
        (
            not only_lung and soft < _LEAST_PEAK * between,
            f"{between:.1%} of it lies between lung and soft tissue (−500 to −200 HU), "
            f"expected at most half as much as soft tissue, which is {soft:.1%}",
        ),
    )
    found = next((said for wrong, said in faults if wrong), None)
    found = found or _air_fault(values)
    if found is None and not only_lung and body > _BODY_FOR_PEAKS:
        found = _brightness_fault(values)
        if found is None and soft > _SOFT_FOR_PEAKS:
            found = _peaks_fault(values)
    return found


def _air_fault(values: Shaped[np.ndarray, "..."]) -> str | None:
    """Air that is not at −1000 HU: in airways and around the body nothing is darker."""
    measured = values[values > _PADDING_HU]
    darkest = float(np.percentile(measured, _DARKEST))
    counts, edges = np.histogram(measured, bins=darkest + np.arange(-5.0, 106.0, 10.0))
    level = float(edges[counts.argmax()]) + 5
    if darkest <= _DARKEST_HU and _AIR_LEVEL[0] <= level <= _AIR_LEVEL[1]:
        return None
    return (
        f"its air lies at {level:.0f} HU (the darkest half percent below {darkest:.0f}), "
        f"expected −1000 (−1080 to −700)"
    )


def _brightness_fault(values: Shaped[np.ndarray, "..."]) -> str | None:
    """Tissue that is nearly all as bright as enhanced blood, with no fat beside it."""
    soft, enhanced = _share(values, (_SOFT_TISSUE[0], _ENHANCED[0])), _share(values, _ENHANCED)
    fat = _share(values, (_SOFT_TISSUE[0], -30.0))
    if enhanced <= _MOST_ENHANCED * soft or fat >= _LEAST_FAT * (soft + enhanced):
        return None
    return (
        f"{enhanced:.1%} of it lies at 130 to 350 HU, {soft:.1%} at −150 to 130 and {fat:.1%} "
        f"at −150 to −30, where fat is: its tissue is too bright"
    )


def _peaks_fault(values: Shaped[np.ndarray, "..."]) -> str | None:
    """Soft tissue that has no peak where fat (−100 HU) and muscle (55 HU) have theirs."""
    fat, valley, muscle = (
        _share(values, band) / (band[1] - band[0]) for band in (_FAT, _VALLEY, _MUSCLE)
    )
    if valley <= _MOST_VALLEY * max(fat, muscle) and muscle >= _LEAST_MUSCLE * fat:
        return None
    return (
        f"its fat and muscle are not at −100 and 55 HU: of a thousand voxels {1e3 * fat:.2g} "
        f"have each value of fat (−130 to −60), {1e3 * valley:.2g} of those between (−40 to "
        f"−10), {1e3 * muscle:.2g} of muscle (20 to 90)"
    )


def sample(voxels: Shaped[np.ndarray, "slice row column"]) -> Shaped[np.ndarray, "_ _ _"]:
    """Some two million voxels, evenly chosen: enough to know values by, whatever the size."""
    steps = [max(1, length // _SAMPLES_PER_AXIS) for length in voxels.shape]
    return voxels[:: steps[0], :: steps[1], :: steps[2]]


def _share(values: Shaped[np.ndarray, "..."], band: tuple[float, float]) -> float:
    return float(np.mean((values >= band[0]) & (values < band[1])))


def _guess(values: Shaped[np.ndarray, "..."]) -> str:
    """The change that leaves least where a mirrored scan would have its soft tissue."""
    plain = values.astype(np.float32)
    undone = {name: change(plain) for name, change in _GUESSES}
    fitting = [name for name, it in undone.items() if _tissue_fault(it) is None]
    best = min(fitting, key=lambda name: _share(undone[name], _MIRRORED), default=None)
    return f", perhaps those of {best}" if best else ""


def check_plausible(volume: Volume) -> None:
    """Deprecated name of `check_hounsfield`, for one release."""
    warnings.warn("check_plausible is now check_hounsfield", DeprecationWarning, stacklevel=2)
    check_hounsfield(volume)
