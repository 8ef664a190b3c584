"""Steps: what a segmentation did on its way, kept small enough to draw."""

import numpy as np
from jaxtyping import Bool

from hirescam.organs.masks import Observer

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
