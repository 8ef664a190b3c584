"""Stack: the slices of a series in their places, which alone decide order and spacing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy.typing import ArrayLike

from hirescam.ct.dicom.planes import AGAIN, Plane
from hirescam.ct.dicom.repairs import Repairs
from hirescam.ct.lps import affine_from_lps
from hirescam.errors import GeometryError

_SAME = 1e-4  # cosines and millimetres this close were meant to be equal
_UNIT = 1e-3  # of a cosine written with three decimals
_MUST_AGREE: dict[str, Callable[[Plane], ArrayLike]] = {
    "Rows": lambda plane: [plane.rows],
    "Columns": lambda plane: [plane.columns],
    "PixelSpacing": lambda plane: plane.spacing_mm,
    "ImageOrientationPatient": lambda plane: plane.cosines,
}


@dataclass(frozen=True, eq=False)
class Stack:
    """Parallel slices of one size, by depth along their normal. Directions are in LPS."""

    planes: Sequence[Plane]
    normal: Float64[np.ndarray, "3"]
    down: Float64[np.ndarray, "3"]  # where a column leads
    across: Float64[np.ndarray, "3"]  # where a row leads

    @property
    def spacing_mm(self) -> Float64[np.ndarray, "2"]:
        """Between rows, and between columns."""
        return self.planes[0].spacing_mm

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
    alike = _alike(planes, repairs)
    spacing_mm = alike[0].spacing_mm
    if spacing_mm.min() <= 0:
        raise GeometryError(
            f"PixelSpacing is {spacing_mm.tolist()}, expected two lengths above 0 mm: {AGAIN}"
        )
    across, down = _directions(alike)
    normal = np.cross(across, down)
    by_depth = sorted(alike, key=lambda plane: float(normal @ plane.position_mm))
    return Stack(by_depth, normal, down, across)


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


def _directions(planes: Sequence[Plane]) -> Float64[np.ndarray, "2 3"]:
    """Where a row leads, and where a column leads: the same whichever slice comes first."""
    cosines = np.median([plane.cosines for plane in planes], axis=0).reshape(2, 3)
    if np.abs(cosines @ cosines.T - np.eye(2)).max() > _UNIT:
        raise GeometryError(
            f"ImageOrientationPatient is {cosines.ravel().tolist()}, expected two directions "
            f"of length 1 at right angles: {AGAIN}"
        )
    across = cosines[0] / np.linalg.norm(cosines[0])
    down = cosines[1] - (cosines[1] @ across) * across
    return np.stack([across, down / np.linalg.norm(down)])
