"""Looking: one scan of a study explained by either method, with the organs that lie in it."""

from collections.abc import Mapping
from dataclasses import dataclass

from hirescam.ct.files import read_volume
from hirescam.ct.volume import Volume
from hirescam.evaluation.outcomes import METHODS
from hirescam.explanation import Explanation, explain
from hirescam.models.files import Model
from hirescam.organs.masks import OrganMasks
from hirescam.organs.segment import segment_organs
from hirescam.training.datasets.cases import Case
from hirescam.training.prepared import read_masks

METHOD_NAMES = {"hirescam": "HiResCAM", "gradcam": "Grad-CAM"}
"""As pictures write them."""


@dataclass(frozen=True, eq=False)
class Look:
    """A scan's explanations by method, and its organs on the grid of the scan."""

    found: Mapping[str, Explanation]
    organs: OrganMasks


def look(model: Model, case: Case, methods: tuple[str, ...] = METHODS) -> Look:
    """Read, explain and segment the scan of a case; of a simulated one the organs are known."""
    scan = read_volume(case.scan)
    found = {
        method: explain(model, scan, method=method)  # type: ignore[arg-type]  # of METHODS
        for method in methods
    }
    return Look(found, organs_of(case, scan))


def organs_of(case: Case, scan: Volume) -> OrganMasks:
    """The organs that come with a case, or else those found in its scan."""
    return read_masks(case.organs) if case.organs else segment_organs(scan)
