"""OrganIoU: how much of a map lies where its label is allowed.

Draelos and Carin, arXiv:2011.08891, section 4.3. It measures a model, never an explanation
method: which of two maps is faithful has to be proved, and cannot be scored.
"""

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

Definition = Literal["paper", "published"]

THRESHOLDS = np.array([0.004, 0.008, 0.012, 0.016, *(np.arange(1, 50) * 0.02)])
"""The paper's 53 thresholds of a map scaled to 0…1."""


def scaled(
    maps: Float[np.ndarray, "label slice row column"],
) -> Float[np.ndarray, "label slice row column"]:
    """Positive values of each map, from 0 to 1 over the scan; 0 where there are none."""
    positive = np.maximum(maps, 0.0)
    low = positive.min(axis=(1, 2, 3), keepdims=True)
    high = positive.max(axis=(1, 2, 3), keepdims=True)
    return np.where(high > 0, (positive - low) / np.where(high > low, high - low, 1.0), 0.0)


def organ_ious(
    maps: Float[np.ndarray, "label slice row column"],
    allowed: Bool[np.ndarray, "label slice row column"],
    *,
    thresholds: Float[np.ndarray, "threshold"] = THRESHOLDS,
    definition: Definition = "paper",
) -> Float[np.ndarray, "label threshold"]:
    """Share of each map's cells above each threshold that are allowed.

    The maps are scaled first. A map without any positive evidence has 0: no model shall gain by
    looking nowhere; one that holds NaN has NaN. `published` restates the code, which also gives
    0 where every cell above the threshold is allowed; by the definition that is 1.
    """
    undefined = np.isnan(maps).any(axis=(1, 2, 3))
    maps = scaled(maps)
    inside = _counts_above(maps, allowed, thresholds)
    outside = _counts_above(maps, ~allowed, thresholds)
    values = inside / np.maximum(inside + outside, 1)
    if definition == "published":
        values = np.where(outside > 0, values, 0.0)
    return np.where(undefined[:, None], np.nan, values)


def best_thresholds(
    values: Float[np.ndarray, "scan label threshold"],
) -> Float[np.ndarray, "label"]:
    """Index of the threshold with the highest mean over the scans that have the label.

    The first one on ties. Values are NaN where a scan lacks a label; so is the index of a label
    that every scan lacks.
    """
    lacks = np.isnan(values)
    sums = np.nansum(values, axis=0)  # a label has as many values at every threshold
    return np.where(lacks.all(axis=(0, 2)), np.nan, sums.argmax(axis=1))


def _counts_above(
    maps: Float[np.ndarray, "label slice row column"],
    where: Bool[np.ndarray, "label slice row column"],
    thresholds: Float[np.ndarray, "threshold"],
) -> Float[np.ndarray, "label threshold"]:
    """How many cells in `where` lie strictly above each threshold, from one histogram a map."""
    count = len(thresholds)
    above = np.searchsorted(thresholds, maps, side="left")  # thresholds strictly below a value
    rows = np.arange(len(maps))[:, None, None, None]
    cells = (rows * (count + 1) + above)[where]
    histogram = np.bincount(cells, minlength=len(maps) * (count + 1))
    histogram = histogram.reshape(len(maps), count + 1)
    return histogram[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:].astype(float)
