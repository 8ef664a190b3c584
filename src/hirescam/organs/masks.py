"""OrganMasks: which organ each voxel of a scan belongs to, and how far to trust that."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float64, UInt8

from hirescam.anatomy import ORGANS as ORGANS  # in the order of their codes 1, 2, 3

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
