"""Guarantee: whether a map accounts for the whole score it explains.

A HiResCAM map does exactly when everything after the layer is affine: then
score(A) = offset + sum(gradient * A) for every activation A, with one gradient. The audit
feeds the rest of the network activations that it has never seen and looks for a gap. One
agreement on one input proves little: a ReLU head can agree there by chance.

If, besides, the gradient is the same at every place, the network has the CAM architecture
and Grad-CAM is the same map (Draelos and Carin, arXiv:2011.08891, section 3).
"""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a map of the audited layer is worth, best first."""

    CAM = "exact for HiResCAM and Grad-CAM"
    AFFINE = "exact for HiResCAM"
    NONE = "not guaranteed"


@dataclass(frozen=True)
class Guarantee:
    """The verdict on one score, the largest relative disagreement found, and over how many probes."""

    kind: Kind
    gap: float
    probes: int
    tolerance: float = 1e-4

    def holds_for(self, method: str) -> bool:
        """Whether maps by `method` ("hirescam", "gradcam") sum to the score minus a constant."""
        exact = {"hirescam": (Kind.CAM, Kind.AFFINE), "gradcam": (Kind.CAM,)}
        return self.kind in exact.get(method, ())

    def sentence(self, method: str) -> str:
        """The verdict in words."""
        if self.holds_for(method):
            return (
                f"Guaranteed: the map adds up exactly to the score minus a constant. Everything "
                f"after the explained layer is affine (largest gap {self.gap:.0e} in "
                f"{self.probes} probes), so nothing the network used is missing from the map."
            )
        if self.kind is Kind.AFFINE:
            return (
                "Not guaranteed: this method averages the gradient over places, but here it "
                "differs between places. Use HiResCAM, which is exact for this network."
            )
        return (
            f"Not guaranteed: the network is not affine after the explained layer (gap "
            f"{self.gap:.0e} in {self.probes} probes), so the map may show places that the "
            f"score did not use, or miss some that it did."
        )
