"""Organ masks: the record, its verdicts, its axes, and where organs lie when none is found."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Literal

import nibabel as nib
import numpy as np
from jaxtyping import Bool, Float64, Shaped, UInt8

from hirescam.anatomy import ORGANS as ORGANS

# --- which organ each voxel of a scan belongs to, and how far to trust that ---

Observer = Callable[[str, Bool[np.ndarray, "slice row column"]], None]
"""Is given each step's name, and where it leaves the lungs: in reading order (slices to the
feet, rows to the back, columns to the left), over the whole field of view, on any grid."""

Box = tuple[slice, slice, slice]
"""Where a mask starts and stops along slices, rows and columns."""


@dataclass(frozen=True)
class Verdict:
    """Whether one organ's mask can be trusted, and each reason why it cannot.

    `heuristic` masks were not found in the scan but put where the organ usually lies.
    """

    reasons: tuple[str, ...] = ()
    heuristic: bool = False

    @property
    def trusted(self) -> bool:
        return not self.reasons and not self.heuristic


@dataclass(frozen=True, eq=False)
class OrganMasks:
    """Organs on the grid of the scan that they were found in.

    `codes` holds 0 for background and i + 1 for `organs[i]`, one organ per voxel; `affine`
    places it in the patient as `Volume.affine` does. An organ in `boxes` fills its box instead:
    heuristic masks may overlap, of which `codes` shows the later organ alone.
    """

    codes: UInt8[np.ndarray, "slice row column"]
    affine: Float64[np.ndarray, "4 4"]
    method: str
    organs: tuple[str, ...] = ORGANS
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    boxes: Mapping[str, Box] = field(default_factory=dict)

    def mask(self, organ: str) -> Bool[np.ndarray, "slice row column"]:
        """Where one organ lies."""
        if organ not in self.boxes:
            return self.codes == self.organs.index(organ) + 1
        inside = np.zeros(self.codes.shape, bool)
        inside[self.boxes[organ]] = True
        return inside

    @property
    def volumes_ml(self) -> dict[str, float]:
        """Size of each organ."""
        voxel_ml = abs(np.linalg.det(self.affine[:3, :3])) / 1000
        return {
            organ: float(np.count_nonzero(self.mask(organ)) * voxel_ml) for organ in self.organs
        }


# --- values are turned to reading order, and back to the axes of the scan they lie on ---

READING = "IPL"

Affine = Float64[np.ndarray, "4 4"]


def to_reading_order(
    values: Shaped[np.ndarray, "slice row column"], affine: Affine
) -> Shaped[np.ndarray, "down back left"]:
    """Values on the axes of the scan that `affine` places, turned to reading order."""
    turn = nib.orientations.ornt_transform(_scan(affine), _reading())
    return nib.orientations.apply_orientation(values, turn)


def from_reading_order(
    values: Shaped[np.ndarray, "down back left"], affine: Affine
) -> Shaped[np.ndarray, "slice row column"]:
    """Values in reading order, turned back to the axes of the scan that `affine` places."""
    turn = nib.orientations.ornt_transform(_reading(), _scan(affine))
    return np.ascontiguousarray(nib.orientations.apply_orientation(values, turn))


def box_from_reading_order(box: Box, shape: tuple[int, int, int], affine: Affine) -> Box:
    """A box in a grid of `shape` in reading order, turned back likewise."""
    turn = nib.orientations.ornt_transform(_reading(), _scan(affine))
    turned = [slice(0)] * 3
    for side, length, (axis, direction) in zip(box, shape, turn, strict=True):
        flipped = slice(length - side.stop, length - side.start)
        turned[int(axis)] = side if direction > 0 else flipped
    first, second, third = turned
    return first, second, third


def _reading() -> Float64[np.ndarray, "3 2"]:
    return nib.orientations.axcodes2ornt(READING)


def _scan(affine: Affine) -> Float64[np.ndarray, "3 2"]:
    return nib.orientations.io_orientation(affine)


# --- where organs lie in most chests, for scans in which they are not found ---

# Lungs are the halves of a chest, and the mediastinum overlaps both. First and last end in
# sixths of its width, counted to the patient's left from the midline: of six columns the
# mediastinum has the middle four as coded for arXiv:2011.08891, three as printed there.
HeuristicPlaces = Literal["four_of_six", "centre_half"]
_LUNGS = {"right_lung": (-inf, 0.0), "left_lung": (0.0, inf)}
HEURISTIC_PLACES: dict[HeuristicPlaces, dict[str, tuple[float, float]]] = {
    "four_of_six": {**_LUNGS, "mediastinum": (-2.0, 2.0)},
    "centre_half": {**_LUNGS, "mediastinum": (-1.5, 1.5)},
}


def heuristic_boxes(
    within: Box, midline: float, column: float, places: HeuristicPlaces = "four_of_six"
) -> dict[str, Box]:
    """One box per organ in a grid in reading order, inside the box `within`.

    `midline` is a place along its columns, `column` the width of each of the six.
    """
    slices, rows, across = within
    return {
        organ: (slices, rows, slice(*(int(end) for end in ends)))
        for organ, place in HEURISTIC_PLACES[places].items()
        for ends in [
            np.rint(np.clip(np.array(place) * column + midline, across.start, across.stop))
        ]
    }


# --- what a segmentation did on its way, kept small enough to draw ---

Mask = Bool[np.ndarray, "slice row column"]

_LONGEST = 256  # voxels kept of a step along each axis


def keep_steps(steps: dict[str, Mask]) -> Observer:
    """An observer that keeps each step by its name, thinned out to what a picture shows."""

    def keep(name: str, mask: Mask) -> None:
        places = (
            ((np.arange(min(n, _LONGEST)) + 0.5) / min(n, _LONGEST) * n).astype(int)
            for n in mask.shape
        )
        steps[name] = mask[np.ix_(*places)]

    return keep
