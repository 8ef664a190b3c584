"""Looking: one scan of a study explained by either method, with the organs that lie in it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hirescam.anatomy import ORGANS
from hirescam.ct.files import read_volume
from hirescam.ct.volume import Volume
from hirescam.evaluation.outcomes import METHODS
from hirescam.explanation import Explanation, explain
from hirescam.models.files import Model
from hirescam.organs.files import read_organs
from hirescam.organs.masks import OrganMasks
from hirescam.organs.segment import segment_organs
from hirescam.simulate.storage import read_truth
from hirescam.training.datasets.cases import Case


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
    if case.organs is None:
        return segment_organs(scan)
    if case.organs.suffix != ".npz":
        return read_organs(case.organs)
    truth = read_truth(case.organs)
    codes = np.zeros(scan.shape, np.uint8)
    for code, organ in enumerate(ORGANS, start=1):
        codes[truth.organs[organ]] = code
    return OrganMasks(codes, truth.affine, method="simulated truth")
