"""Geometry: slices in their places, duplicates, spacing, and resampling of what is uneven."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Float64, Shaped
from numpy.typing import ArrayLike
from scipy import ndimage

from hirescam.ct.dicom.headers import Header, frames, numbers, value, whole
from hirescam.ct.validation import Repairs, announced_bytes, as_read_error
from hirescam.ct.volume import AIR_HU, Volume, affine_from_lps
from hirescam.errors import GeometryError, VoxelError

# --- Planes: the slices of a series, each with the numbers that place and scale it

AGAIN = "export the series again as CT"


@dataclass(frozen=True, eq=False)
class Plane:
    """One slice: where it lies in LPS and how it is scaled; its pixels still in the file."""

    header: Header
    frame: int
    rows: int
    columns: int
    position_mm: Float64[np.ndarray, "3"]
    cosines: Float64[np.ndarray, "6"]  # where a row leads, then where a column leads
    spacing_mm: Float64[np.ndarray, "2"]
    slope: float
    intercept: float
    hu_assumed: bool  # because the file does not say so

    @property
    def order(self) -> tuple[float, float]:
        """Acquisition, then instance: which of two slices in one place came first."""
        own = numbers(self.header, self.frame, "FrameAcquisitionNumber", 1)
        acquired = own if own is not None else numbers(self.header, 0, "AcquisitionNumber", 1)
        instance = numbers(self.header, 0, "InstanceNumber", 1)
        last = float("inf")
        return (
            last if acquired is None else float(acquired[0]),
            last if instance is None else float(instance[0]),
        )

    @property
    def thickness_mm(self) -> float | None:
        """Its stated thickness, which says nothing of the distance to its neighbours."""
        found = numbers(self.header, self.frame, "SliceThickness", 1)
        return None if found is None else float(found[0])


# What one file must say: keyword, what its absence means, what is read, what else it is.
_CT_SLICE = (
    ("SamplesPerPixel", 1, (1,), "is a colour picture: give the CT series itself"),
    (
        "PhotometricInterpretation",
        "MONOCHROME2",
        ("MONOCHROME1", "MONOCHROME2"),
        "is a colour picture: give the CT series itself",
    ),
    (
        "BitsAllocated",
        16,
        (8, 16, 32),
        f"does not keep its values in whole bytes: {AGAIN}",
    ),
)
_HOUNSFIELD = ("HU", "HU MOD", "HOUNSFIELD", "HOUNSFIELD UNIT", "HOUNSFIELD UNITS")


def planes_of(headers: Sequence[Header], *, assume_hu: bool) -> list[Plane]:
    """Every slice that the files hold. What one must say and does not is an error."""
    planes = []
    for header in headers:
        with as_read_error(header.source.path):
            _check_kind(header)
            planes += [
                _plane(header, frame, assume_hu=assume_hu) for frame in range(frames(header))
            ]
    announced_bytes((len(planes), planes[0].rows, planes[0].columns), 2)
    return planes


def _check_kind(header: Header) -> None:
    for keyword, absent, wanted, otherwise in _CT_SLICE:
        if (header.elements.get(keyword) or absent) not in wanted:
            raise VoxelError(otherwise)
    announced = whole(header, "NumberOfFrames") or 1
    if announced != frames(header):
        raise GeometryError(
            f"holds {announced} frames and says of {frames(header)} where it lies, expected "
            f"all: export the series as enhanced CT, or one slice per file"
        )
    stored, highest = whole(header, "BitsStored"), whole(header, "HighBit")
    if stored is not None and highest is not None and highest != stored - 1:
        raise VoxelError(
            f"keeps its {stored} bits below bit {highest}, expected bit {stored - 1}: {AGAIN}"
        )
    if header.pixels_at is None:
        raise EOFError


def _plane(header: Header, frame: int, *, assume_hu: bool) -> Plane:
    rows, columns = whole(header, "Rows") or 0, whole(header, "Columns") or 0
    if rows < 1 or columns < 1:
        raise VoxelError(f"has no Rows or no Columns, expected both: {AGAIN}")
    slope, intercept, hu_assumed = _rescale(header, frame, assume_hu=assume_hu)
    return Plane(
        header,
        frame,
        rows,
        columns,
        position_mm=_needed(header, frame, "ImagePositionPatient", 3),
        cosines=_needed(header, frame, "ImageOrientationPatient", 6),
        spacing_mm=_needed(header, frame, "PixelSpacing", 2),
        slope=slope,
        intercept=intercept,
        hu_assumed=hu_assumed,
    )


def _needed(
    header: Header, frame: int, keyword: str, count: int
) -> Float64[np.ndarray, "value"]:
    found = numbers(header, frame, keyword, count)
    if found is None:
        raise GeometryError(f"has no {keyword} (expected {count} numbers): {AGAIN}")
    return found


def _rescale(header: Header, frame: int, *, assume_hu: bool) -> tuple[float, float, bool]:
    """Slope, intercept, and whether that they lead to HU is an assumption."""
    slope = numbers(header, frame, "RescaleSlope", 1)
    intercept = numbers(header, frame, "RescaleIntercept", 1)
    said = value(header, frame, "RescaleType") or _HOUNSFIELD[0]
    unit = str(said).strip(" \0").upper().replace("_", " ")
    flaws = {
        "no RescaleSlope": slope is None,
        "no RescaleIntercept": intercept is None,
        "another RescaleType than HU": unit not in _HOUNSFIELD,
    }
    found = [flaw for flaw, applies in flaws.items() if applies]
    if found and not assume_hu:
        raise VoxelError(
            f"has {' and '.join(found)}, so that its values may not be Hounsfield units: "
            f"{AGAIN}, or take them as HU (assume_hu=True, --assume-hu)"
        )
    if slope is None or intercept is None:
        return 1.0, 0.0, bool(found)
    if slope[0] == 0:
        raise VoxelError(f"has a RescaleSlope of 0: {AGAIN}")
    return float(slope[0]), float(intercept[0]), bool(found)


# --- Stack: the slices of a series in their places, which alone decide order and spacing

_SAME = 1e-4  # cosines and millimetres this close were meant to be equal
_UNIT = 1e-3  # of a cosine written with three decimals
_LENGTH = 0.01  # of directions that were meant to have length 1
_MUST_AGREE: dict[str, Callable[[Plane], ArrayLike]] = {
    "Rows": lambda plane: [plane.rows],
    "Columns": lambda plane: [plane.columns],
}
_PARALLEL, _FEWEST_SLICES = 0.9, 3  # cosine of 26°
_TENTH = 0.1  # of a gap or a pixel: voxels that lie so close to their grid stay on it


@dataclass(frozen=True, eq=False)
class Stack:
    """Parallel slices of one size, by depth along their normal. Directions are in LPS."""

    planes: Sequence[Plane]
    normal: Float64[np.ndarray, "3"]
    down: Float64[np.ndarray, "3"]  # where a column leads
    across: Float64[np.ndarray, "3"]  # where a row leads
    spacing_mm: Float64[np.ndarray, "2"]  # between rows, and between columns

    @property
    def offsets_mm(self) -> Float64[np.ndarray, "slice 3"]:
        """How far each slice lies from the first: along the normal, down and across."""
        positions_mm = np.stack([plane.position_mm for plane in self.planes])
        axes = np.stack([self.normal, self.down, self.across], axis=1)
        return (positions_mm - positions_mm[0]) @ axes

    def affine(
        self, step_mm: Float64[np.ndarray, "3"], first_mm: Float64[np.ndarray, "3"]
    ) -> Float64[np.ndarray, "4 4"]:
        """Of slices like these that begin `first_mm` (along the same axes) beside these."""
        axes = np.stack([self.normal, self.down, self.across], axis=1)
        row_mm, column_mm = self.spacing_mm
        return affine_from_lps(
            self.planes[0].position_mm + axes @ first_mm,
            axes @ step_mm,
            self.down * row_mm,
            self.across * column_mm,
        )


def stacked(planes: Sequence[Plane], repairs: Repairs) -> Stack:
    """The slices by depth; they must be alike and parallel."""
    planes = _without_localizers(planes, repairs)
    alike = _like_the_others(_alike(planes, repairs), repairs)
    spacings_mm = np.stack([plane.spacing_mm for plane in alike])
    if spacings_mm.min() <= 0:
        raise GeometryError(
            f"PixelSpacing is {spacings_mm.min(axis=0).tolist()}, expected two lengths above "
            f"0 mm: {AGAIN}"
        )
    across, down = _directions(alike)
    normal = np.cross(across, down)
    by_depth = sorted(alike, key=lambda plane: float(normal @ plane.position_mm))
    return Stack(by_depth, normal, down, across, np.median(spacings_mm, axis=0))


def _without_localizers(planes: Sequence[Plane], repairs: Repairs) -> Sequence[Plane]:
    """Without images at an angle to most slices, if those are a whole scan without them."""
    cosines = np.stack([plane.cosines for plane in planes])
    normals = np.cross(cosines[:, :3], cosines[:, 3:])
    usual = np.median(normals, axis=0)
    aside = normals @ usual < _PARALLEL * np.linalg.norm(usual) ** 2
    rest = [plane for plane, is_aside in zip(planes, aside, strict=True) if not is_aside]
    if not aside.any() or len(rest) < max(_FEWEST_SLICES, 2 * int(aside.sum())):
        return planes
    gaps_mm = np.diff(np.sort([usual @ plane.position_mm for plane in rest]))
    if gaps_mm.max() > (1 + 2 * _TENTH) * np.median(gaps_mm):
        return planes  # slices are missing: these may be they
    repairs.made.append(
        f"{aside.sum()} of {len(planes)} images lie at an angle to the slices, as a localizer "
        f"does, and were left out"
    )
    return rest


def _alike(planes: Sequence[Plane], repairs: Repairs) -> Sequence[Plane]:
    for name, of in _MUST_AGREE.items():
        values = np.stack([np.asarray(of(plane), dtype=float) for plane in planes])
        odd = (np.abs(values - np.median(values, axis=0)) > _SAME).any(axis=1)
        if not odd.any():
            continue
        differ = f"{odd.sum()} of {len(planes)} slices differ from the others in {name}"
        error = GeometryError(f"{differ}, as a localizer does: leave only one scan's slices")
        if 2 * odd.sum() >= len(planes):  # a repair would choose between two halves
            raise error
        repairs.make(f"{differ}: they were left out", instead_of=error)
        planes = [plane for plane, is_odd in zip(planes, odd, strict=True) if not is_odd]
    return planes


def _like_the_others(planes: Sequence[Plane], repairs: Repairs) -> Sequence[Plane]:
    """Those whose spacing and directions put no corner over a tenth of a pixel elsewhere."""
    columns, rows = planes[0].columns - 1, planes[0].rows - 1
    # where a row and a column end, in LPS, from the first pixel
    ends = {
        "PixelSpacing": np.stack([it.spacing_mm * (rows, columns) for it in planes]),
        "ImageOrientationPatient": np.stack(
            [
                it.cosines.reshape(2, 3) * np.median(it.spacing_mm) * ((columns,), (rows,))
                for it in planes
            ]
        ).reshape(len(planes), 6),
    }
    pixel_mm = float(np.median([plane.spacing_mm for plane in planes]))
    kept = np.ones(len(planes), bool)
    largest_mm = 0.0
    for name, places in ends.items():
        off_mm = np.abs(places - np.median(places[kept], axis=0)).max(axis=1)
        odd = kept & (off_mm > max(_TENTH * pixel_mm, _SAME))
        if odd.any():
            differ = f"{odd.sum()} of {len(planes)} slices differ from the others in {name}"
            error = GeometryError(
                f"{differ}, as a localizer does: leave only one scan's slices"
            )
            if 2 * odd.sum() >= kept.sum():  # a repair would choose between two halves
                raise error
            repairs.make(f"{differ}: they were left out", instead_of=error)
            kept &= ~odd
        largest_mm = max(largest_mm, float(off_mm[kept].max(initial=0.0)))
    if largest_mm > _OFF_MM:
        repairs.made.append(
            f"PixelSpacing and ImageOrientationPatient differ between slices, which moves "
            f"voxels by {largest_mm:.3f} mm at most: those of most slices were taken"
        )
    return [plane for plane, keep in zip(planes, kept, strict=True) if keep]


def _directions(planes: Sequence[Plane]) -> Float64[np.ndarray, "2 3"]:
    """Where a row leads, and where a column leads: the same whichever slice comes first."""
    cosines = np.median([plane.cosines for plane in planes], axis=0).reshape(2, 3)
    lengths = np.linalg.norm(cosines, axis=1)
    turned = abs(float(cosines[0] @ cosines[1])) > _UNIT
    if turned or np.abs(lengths - 1).max() > _LENGTH:
        raise GeometryError(
            f"ImageOrientationPatient is {cosines.ravel().tolist()}, expected two directions "
            f"of length 1 at right angles: {AGAIN}"
        )
    across = cosines[0] / np.linalg.norm(cosines[0])
    down = cosines[1] - (cosines[1] @ across) * across
    return np.stack([across, down / np.linalg.norm(down)])


# --- Doubled: of several slices in one place, as two acquisitions leave them, one is kept

SAME_PLACE_MM = 0.01
_MOST_ACQUISITIONS = 6


def one_each(
    stack: Stack,
    repairs: Repairs,
    decode: Callable[[Plane], Shaped[np.ndarray, "row column"]],
) -> Stack:
    """The stack with one slice in each place: that of the first acquisition, if repaired.

    `decode` gives the voxels of slices whose headers leave open which was acquired first;
    such slices must be equal.
    """
    gaps_mm = np.diff(stack.offsets_mm[:, 0])
    doubled = int((gaps_mm < SAME_PLACE_MM).sum())
    if not doubled:
        return stack
    stack, doubled = _without_copies(stack, gaps_mm, decode, repairs)
    if not doubled:
        return stack
    gaps_mm = np.diff(stack.offsets_mm[:, 0])
    lie = f"{doubled} of {len(stack.planes)} slices lie where another one lies"
    repairs.make(
        f"{lie}: of each place the slice of the first acquisition was kept",
        instead_of=GeometryError(
            f"{lie}: leave only the slices of one acquisition{_which(stack.planes)}"
        ),
    )
    places = np.split(
        np.arange(len(stack.planes)), np.flatnonzero(gaps_mm >= SAME_PLACE_MM) + 1
    )
    kept = [_first([stack.planes[index] for index in place], decode) for place in places]
    return replace(stack, planes=kept)


def _which(planes: Sequence[Plane]) -> str:
    """How one acquisition is chosen, if their numbers tell several apart."""
    found = sorted({plane.order[0] for plane in planes} - {float("inf")})
    if not 1 < len(found) <= _MOST_ACQUISITIONS:
        return ""
    listed = ", ".join(f"{number:.0f}" for number in found)
    return f", or choose one of {listed} (acquisition=…, --acquisition …)"


def _without_copies(
    stack: Stack,
    gaps_mm: Float64[np.ndarray, "gap"],
    decode: Callable[[Plane], Shaped[np.ndarray, "row column"]],
    repairs: Repairs,
) -> tuple[Stack, int]:
    """The stack without slices equal to one in the same place; how many others are doubled."""
    kept: list[Plane] = []
    here: list[Plane] = []
    copies, doubled = 0, 0
    for index, plane in enumerate(stack.planes):
        if index and gaps_mm[index - 1] >= SAME_PLACE_MM:
            here = []
        if here and any(_is_copy(plane, other, decode) for other in here):
            copies += 1
            continue
        doubled += bool(here)
        here.append(plane)
        kept.append(plane)
    if copies:
        repairs.made.append(
            f"{copies} of {len(stack.planes)} slices equal another one in the same place, "
            f"voxel for voxel: they were left out"
        )
    return replace(stack, planes=kept), doubled


def _is_copy(
    one: Plane, other: Plane, decode: Callable[[Plane], Shaped[np.ndarray, "row column"]]
) -> bool:
    return bool(
        np.array_equal(one.position_mm, other.position_mm)
        and np.array_equal(decode(one), decode(other))
    )


def _first(
    here: list[Plane], decode: Callable[[Plane], Shaped[np.ndarray, "row column"]]
) -> Plane:
    first, *others = sorted(here, key=lambda plane: plane.order)
    for other in others:
        if other.order == first.order and not np.array_equal(decode(first), decode(other)):
            raise GeometryError(
                "two slices in one place differ, and neither AcquisitionNumber nor "
                "InstanceNumber says which was first: leave only one of them"
            )
    return first


# --- Regular: whether slices make a rectangular grid as they lie, and else how they can
# They are resampled only along what is wrong: depth where the spacing is uneven, rows and
# columns where a tilted gantry has shifted slices against each other.

_OFF_MM = 0.01
_OFF = 0.01  # of a gap: positions are often written with two or three decimals
_SLOPE = 1e-3  # above it, the end of a 300 mm scan lies over 0.3 mm beside its place
_MOST_GROWTH = 2  # above it, more slices would be invented than were measured


@dataclass(frozen=True, eq=False)
class Resampling:
    """How a stack becomes a rectangular grid; None along what is regular already.

    New slice `k` lies at `slices[k]`, counted in slices of the stack. Slice `k` of the stack is
    shifted by `shifts[k]` pixels down and across against the first.
    """

    slices: Float64[np.ndarray, "new_slice"] | None
    step_mm: Float64[np.ndarray, "3"]  # between new slices: along the normal, down, across
    shifts: Float64[np.ndarray, "slice 2"] | None
    first_mm: Float64[np.ndarray, "3"] = field(default_factory=lambda: np.zeros(3))


def regular(stack: Stack, repairs: Repairs) -> Resampling:
    """What is needed to make the stack regular. If anything is, repairs must be allowed."""
    offsets_mm = stack.offsets_mm
    if len(offsets_mm) == 1:
        return Resampling(None, np.array([_thickness_mm(stack, repairs), 0.0, 0.0]), None)
    depths_mm, beside_mm = offsets_mm[:, 0], offsets_mm[:, 1:]
    first_mm, step_mm = _fitted(offsets_mm)
    places_mm = first_mm + np.outer(np.arange(len(offsets_mm)), step_mm)
    off_mm = np.abs(offsets_mm - places_mm).max(axis=0)
    tolerance_mm = max(_TENTH * float(np.median(np.diff(depths_mm))), _OFF_MM)
    in_plane_mm = max(_TENTH * float(stack.spacing_mm.min()), _OFF_MM)
    gaps_mm = np.diff(depths_mm)
    if np.abs(gaps_mm - step_mm[0]).max() > 2 * tolerance_mm:
        off_mm[0] = max(off_mm[0], 2 * tolerance_mm)  # few slices are fitted too well
    slices, shifts = None, None
    exact_mm = max(_OFF * float(np.median(gaps_mm)), _OFF_MM)
    slope = float(np.linalg.norm(step_mm[1:]) / step_mm[0])
    if slope > _SLOPE or off_mm[1:].max() > in_plane_mm:
        tolerance_mm = exact_mm  # slices are resampled in any case: then all the way
    if off_mm[0] > tolerance_mm:
        slices = _even(depths_mm, exact_mm, repairs)
        step_mm, first_mm = offsets_mm[-1] / (len(slices) - 1), np.zeros(3)
        straight_mm = np.outer(depths_mm / depths_mm[-1], beside_mm[-1])
        off_mm[1:] = np.abs(beside_mm - straight_mm).max(axis=0)
    slope = float(np.linalg.norm(step_mm[1:]) / step_mm[0])
    if slope > _SLOPE or off_mm[1:].max() > in_plane_mm:
        _record_shift(slope, beside_mm, repairs)
        shifts = beside_mm / stack.spacing_mm
        step_mm = step_mm * np.array([1.0, 0.0, 0.0])
        first_mm = first_mm * np.array([1.0, 0.0, 0.0])
    elif slices is None and off_mm.max() > _OFF_MM:
        repairs.made.append(
            f"slices lie up to {off_mm.max():.3f} mm beside an even grid, {step_mm[0]:.4f} mm "
            f"apart: their voxels were kept and the grid was fitted"
        )
    return Resampling(slices, step_mm, shifts, first_mm)


def _fitted(
    offsets_mm: Float64[np.ndarray, "slice 3"],
) -> tuple[Float64[np.ndarray, "3"], Float64[np.ndarray, "3"]]:
    """First place and step of the even grid nearest to the slices."""
    step_mm = offsets_mm[-1] / (len(offsets_mm) - 1)
    even = np.outer(np.arange(len(offsets_mm)), step_mm)
    if np.abs(offsets_mm - even).max() <= _OFF_MM:  # rounding: the ends stay where they are
        return np.zeros(3), step_mm
    index = np.arange(len(offsets_mm)) - (len(offsets_mm) - 1) / 2
    step_mm = index @ offsets_mm / (index @ index)
    return offsets_mm.mean(axis=0) + index[0] * step_mm, step_mm


def _thickness_mm(stack: Stack, repairs: Repairs) -> float:
    error = GeometryError(
        "holds 1 slice, expected at least 2: give the folder with all slices of the series"
    )
    thickness_mm = stack.planes[0].thickness_mm
    if not thickness_mm or thickness_mm < 0:
        raise error
    repairs.make(
        f"1 slice alone: its stated thickness of {thickness_mm:.3f} mm was taken for its depth",
        instead_of=error,
    )
    return thickness_mm


def _even(
    depths_mm: Float64[np.ndarray, "slice"], tolerance_mm: float, repairs: Repairs
) -> Float64[np.ndarray, "new_slice"]:
    """Even places from the first slice to the last, as close as the closest two were."""
    gaps_mm = np.diff(depths_mm)
    apart = f"{gaps_mm.min():.3f} to {gaps_mm.max():.3f} mm apart"
    error = GeometryError(
        f"slices lie {apart}, expected an even {np.median(gaps_mm):.3f} mm: complete the series"
    )
    count = _steps(depths_mm, tolerance_mm)
    if count + 1 > _MOST_GROWTH * len(depths_mm):
        raise error  # also of a repair: it would invent more than was measured
    wanted_mm = np.linspace(0, depths_mm[-1], count + 1)
    nearest = np.abs(wanted_mm[:, None] - depths_mm).argmin(axis=1)
    measured = np.abs(wanted_mm - depths_mm[nearest]) <= tolerance_mm
    repairs.make(
        f"{len(depths_mm)} slices {apart} became {count + 1} slices {wanted_mm[1]:.3f} mm "
        f"apart: {count + 1 - measured.sum()} of them were interpolated linearly",
        instead_of=error,
    )
    places = np.interp(wanted_mm, depths_mm, np.arange(len(depths_mm), dtype=float))
    return np.where(measured, nearest.astype(float), places)


def _steps(depths_mm: Float64[np.ndarray, "slice"], tolerance_mm: float) -> int:
    """How many even steps: where slices are only missing, all others stay where they are."""
    gaps_mm = np.diff(depths_mm)
    passed = np.cumsum(np.rint(gaps_mm / np.median(gaps_mm)))
    step_mm = depths_mm[-1] / passed[-1]
    if np.abs(depths_mm[1:] - passed * step_mm).max() <= tolerance_mm:
        return int(passed[-1])
    return round(float(depths_mm[-1] / gaps_mm.min()))


def _record_shift(
    slope: float, beside_mm: Float64[np.ndarray, "slice 2"], repairs: Repairs
) -> None:
    shifted = (
        f"slices are shifted within their plane by up to {np.abs(beside_mm).max():.3f} mm, "
        f"{np.degrees(np.arctan(slope)):.2f}° off right angles, as by gantry tilt"
    )
    repairs.make(
        f"{shifted}: they were moved back, linearly between pixels, with air beside them",
        instead_of=GeometryError(f"{shifted}: resample the scan to a rectangular grid first"),
    )


# --- Resample: slices of any spacing and shift onto a rectangular grid
# Trilinear, rounded once. A slice that stays where it is keeps its voxels.

_STAYS = 1e-6  # of a pixel: rounding of positions


def resampled(
    voxels: Shaped[np.ndarray, "slice row column"], stack: Stack, how: Resampling
) -> Volume:
    """The voxels where `how` puts them; the grid grows so that no pixel is lost."""
    if how.shifts is None and how.slices is None:
        return Volume(voxels, stack.affine(how.step_mm, how.first_mm))
    shifts = np.zeros((len(voxels), 2)) if how.shifts is None else how.shifts
    first = np.floor(shifts.min(axis=0) + _STAYS)
    room = np.ceil(shifts.max(axis=0) - _STAYS) - first
    rows, columns = (np.array(voxels.shape[1:]) + room).astype(int)
    places = np.arange(len(voxels), dtype=float) if how.slices is None else how.slices

    @lru_cache(maxsize=2)
    def moved(index: int) -> Float[np.ndarray, "row column"]:
        return _moved(voxels[index], shifts[index] - first, (int(rows), int(columns)))

    out = np.empty((len(places), rows, columns), voxels.dtype)
    for into, place in zip(out, places, strict=True):
        below = int(place)
        part = float(place - below)
        plane = (
            moved(below) if part == 0 else (1 - part) * moved(below) + part * moved(below + 1)
        )
        into[:] = np.rint(plane) if out.dtype == np.int16 else plane
    first_mm = how.first_mm + np.array([0.0, *(first * stack.spacing_mm)])
    return Volume(out, stack.affine(how.step_mm, first_mm))


def _moved(
    plane: Shaped[np.ndarray, "row column"],
    by: Float64[np.ndarray, "2"],
    shape: tuple[int, int],
) -> Float[np.ndarray, "new_row new_column"]:
    """The plane `by` pixels further down and across in a larger one of air."""
    whole = np.floor(by + _STAYS).astype(int)
    row, column = whole
    larger = np.full(shape, AIR_HU, np.float32)
    larger[row : row + plane.shape[0], column : column + plane.shape[1]] = plane
    rest = np.clip(by - whole, 0, None)
    if rest.max() <= _STAYS:
        return larger
    return ndimage.shift(larger, rest, order=1, mode="constant", cval=AIR_HU)
