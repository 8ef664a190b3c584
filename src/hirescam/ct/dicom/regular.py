"""Regular: whether slices make a rectangular grid as they lie, and else how they can.

They are resampled only along what is wrong: depth where the spacing is uneven, rows and columns
where a tilted gantry has shifted slices against each other.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from hirescam.ct.dicom.repairs import Repairs
from hirescam.ct.dicom.stack import Stack
from hirescam.errors import GeometryError

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


def regular(stack: Stack, repairs: Repairs) -> Resampling:
    """What is needed to make the stack regular. If anything is, repairs must be allowed."""
    offsets_mm = stack.offsets_mm
    if len(offsets_mm) == 1:
        return Resampling(None, np.array([_thickness_mm(stack, repairs), 0.0, 0.0]), None)
    depths_mm, beside_mm = offsets_mm[:, 0], offsets_mm[:, 1:]
    step_mm = offsets_mm[-1] / (len(offsets_mm) - 1)
    off_mm = np.abs(offsets_mm - np.outer(np.arange(len(offsets_mm)), step_mm)).max(axis=0)
    tolerance_mm = max(_OFF * float(np.median(np.diff(depths_mm))), _OFF_MM)
    slices, shifts = None, None
    if off_mm[0] > tolerance_mm:
        slices = _even(depths_mm, tolerance_mm, repairs)
        step_mm = offsets_mm[-1] / (len(slices) - 1)
        straight_mm = np.outer(depths_mm / depths_mm[-1], beside_mm[-1])
        off_mm[1:] = np.abs(beside_mm - straight_mm).max(axis=0)
    slope = float(np.linalg.norm(step_mm[1:]) / step_mm[0])
    if slope > _SLOPE or off_mm[1:].max() > tolerance_mm:
        _record_shift(slope, beside_mm, repairs)
        shifts = beside_mm / stack.spacing_mm
        step_mm = step_mm * np.array([1.0, 0.0, 0.0])
    return Resampling(slices, step_mm, shifts)


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
