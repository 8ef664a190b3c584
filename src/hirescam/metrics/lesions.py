"""Lesion measures: how well the cells of one map find a lesion whose place is known.

They judge the network and the map together, and the map alone only where the network is known
to use the lesion. Cells of one value share what they have to give, so a map without any order
scores as chance does.
"""

import numpy as np
from jaxtyping import Float, Int8

from hirescam.metrics.classification import auroc

LESION_MEASURES = (
    "pointing_hit",
    "within_one_cell",
    "mass_in_lesion",
    "energy_in_box",
    "lesion_auroc",
)


def lesion_measures(
    values: Float[np.ndarray, "slice row column"], states: Int8[np.ndarray, "slice row column"]
) -> Float[np.ndarray, "measure"]:
    """`LESION_MEASURES` of one map; NaN where no cell is known to hold a lesion.

    `states` is 1 in cells that hold a lesion, −1 in their neighbours, 0 elsewhere.

    - pointing_hit: the highest value lies in the lesion (Zhang et al., IJCV 2018).
    - within_one_cell: it lies there or in a cell beside it.
    - mass_in_lesion: the share of the positive values that lies in the lesion (Arras et al.,
      Information Fusion 81, 2022); 0 for a map without positive values.
    - energy_in_box: the share in the lesion's bounding box, the energy-based pointing game
      (Wang et al., Score-CAM, CVPR workshops 2020).
    - lesion_auroc: how often a cell of the lesion is higher than one of the background.
    """
    lesion, background = states == 1, states == 0
    if not lesion.any() or np.isnan(values).any():
        return np.full(len(LESION_MEASURES), np.nan)
    peak = values == values.max()
    positive = np.maximum(values, 0.0)
    total = float(positive.sum())
    where = np.argwhere(lesion)
    box = tuple(
        slice(low, high + 1)
        for low, high in zip(where.min(axis=0), where.max(axis=0), strict=True)
    )
    known = lesion | background
    return np.array(
        [
            (peak & lesion).sum() / peak.sum(),
            (peak & (states != 0)).sum() / peak.sum(),
            positive[lesion].sum() / total if total else 0.0,
            positive[box].sum() / total if total else 0.0,
            auroc(lesion[known], values[known].astype(float)),
        ]
    )
