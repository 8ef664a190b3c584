"""IoU of maps with masks: how far what a network uses and the object are the same pixels.

It measures the network, never the explanation method: Draelos and Carin, arXiv:2011.08891,
section 9.
"""

import numpy as np
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from hirescam.metrics.organ_iou import THRESHOLDS

WHAT_AN_IOU_SAYS = (
    "IoU says how much these networks, as they were trained, use the objects themselves. It "
    "never measures an explanation method: a network that knows a train by its tracks is "
    "explained well by a map of the tracks. A guaranteed map shows what the network uses; "
    "which method is faithful has to be proved (Draelos and Carin, arXiv:2011.08891, "
    "section 9)."
)


def ious(
    maps: Float[Tensor, "pair row column"],
    masks: Bool[np.ndarray, "pair row_ column_"],
    known: Bool[np.ndarray, "pair row_ column_"],
    *,
    thresholds: Float[np.ndarray, "threshold"] = THRESHOLDS,
) -> Float[np.ndarray, "pair threshold"]:
    """Intersection over union of each map, above each threshold, with its mask.

    Maps are stretched to the masks' grid (bilinear), their positive values divided by the
    largest there. Unknown pixels do not count. A map without positive values has 0.
    """
    size = masks.shape[1:]
    stretched = F.interpolate(maps[:, None].float(), size, mode="bilinear")[:, 0]
    positive = stretched.clamp(min=0).numpy()
    largest = positive.max(axis=(1, 2), keepdims=True)
    scaled = positive / np.where(largest > 0, largest, 1)
    each = zip(scaled, masks, known, strict=True)
    return np.array([_at_thresholds(*one, thresholds) for one in each]).reshape(
        len(maps), len(thresholds)
    )


def _at_thresholds(
    scaled: np.ndarray, mask: np.ndarray, known: np.ndarray, thresholds: np.ndarray
) -> Float[np.ndarray, "threshold"]:
    passed = np.searchsorted(thresholds, scaled, side="left")  # thresholds below each pixel
    steps = len(thresholds) + 1
    counts = np.bincount((passed + steps * mask)[known], minlength=2 * steps)
    outside, inside = counts.reshape(2, steps)[:, ::-1].cumsum(axis=1)[:, ::-1]
    return inside[1:] / np.maximum(inside[0] + outside[1:], 1)
