"""OrganMasks: which organ each voxel of a scan belongs to, and how far to trust that."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float64, UInt8

ORGANS = ("right_lung", "left_lung", "mediastinum")
"""The organs of PARTITION, in the order of their codes 1, 2, 3; 0 is background."""


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
    """Organs on the grid of the scan that they were found in; no voxel has two organs.

    `codes` holds 0 for background and i + 1 for `organs[i]`; `affine` places it in the patient
    as `Volume.affine` does.
    """

    codes: UInt8[np.ndarray, "slice row column"]
    affine: Float64[np.ndarray, "4 4"]
    method: str
    organs: tuple[str, ...] = ORGANS
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)

    def mask(self, organ: str) -> Bool[np.ndarray, "slice row column"]:
        """Where one organ lies."""
        return self.codes == self.organs.index(organ) + 1

    @property
    def volumes_ml(self) -> dict[str, float]:
        """Size of each organ."""
        counts = np.bincount(self.codes.ravel(), minlength=len(self.organs) + 1)[1:]
        voxel_ml = abs(np.linalg.det(self.affine[:3, :3])) / 1000
        return {
            organ: float(n * voxel_ml) for organ, n in zip(self.organs, counts, strict=False)
        }
