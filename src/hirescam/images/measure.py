"""Measure: what a network makes of photographs, and how far its maps are the objects.

A *pair* is a photograph and a class that it shows. Pairs are counted through the photographs in
their order, and through the classes of each: as `numpy.nonzero` of the labels gives them.
IoU measures the network, never the explanation method: Draelos and Carin, arXiv:2011.08891,
section 9.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from hirescam.images.networks import TwoParts
from hirescam.images.parts import PhotographInputs
from hirescam.images.photographs import Photograph, masks_on_grid
from hirescam.methods._engine import capture
from hirescam.methods.map_methods import maps_from_capture
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

    Maps are upsampled to the masks' grid (bilinear), their positive values divided by the
    largest there. Unknown pixels do not count. A map without positive values has 0.
    """
    size = masks.shape[1:]
    upsampled = F.interpolate(maps[:, None].float(), size, mode="bilinear")[:, 0]
    positive = upsampled.clamp(min=0).numpy()
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


METHODS = ("hirescam", "gradcam")
"""The two that the paper compares, by name."""

Evaluator = Callable[[TwoParts], "PhotographScores"]


@dataclass(frozen=True, eq=False)
class Masks:
    """Where the class of each pair is, and the pixels there that count."""

    inside: Bool[np.ndarray, "pair side side"]
    known: Bool[np.ndarray, "pair side side"]


@dataclass(frozen=True, eq=False)
class PhotographScores:
    """Scores of validation photographs, and the IoU of each of their pairs by each method."""

    scores: Float[Tensor, "photograph label"]
    ious: Float[Tensor, "method pair"]


def read_masks(photographs: Sequence[Photograph], side: int) -> Masks:
    """The masks of all pairs on a grid of side × side pixels."""
    inside, known = [np.zeros((0, side, side), bool)], [np.zeros((0, side, side), bool)]
    for one in photographs:
        shown = masks_on_grid(one, side)
        planes = shown.inside[one.labels > 0]
        inside.append(planes)
        known.append(np.broadcast_to(shown.known, planes.shape))
    return Masks(np.concatenate(inside), np.concatenate(known))


def measure(
    network: TwoParts, part: PhotographInputs, masks: Masks
) -> tuple[Float[Tensor, "photograph label"], Float[np.ndarray, "method pair threshold"]]:
    """Scores of all photographs of a part, and the IoU of their pairs above each threshold."""
    device = next(network.parameters()).device
    labels = np.stack([one.labels for one in part.photographs])
    scores, values, photograph, pair = [], [], 0, 0
    for x in part.batches(range(len(labels))):
        seen = capture(network, x.to(device), layer=network.features)
        scores.append(seen.scores.detach().cpu())
        rows, classes = np.nonzero(labels[photograph : photograph + len(x)])
        shown, column = np.unique(classes, return_inverse=True)
        mine = slice(pair, pair + len(rows))
        of_pairs = (
            maps_from_capture(method, seen, shown.tolist())[rows, column] for method in METHODS
        )
        values.append(
            [ious(each.cpu(), masks.inside[mine], masks.known[mine]) for each in of_pairs]
        )
        photograph, pair = photograph + len(x), mine.stop
    return torch.cat(scores), np.concatenate(values, axis=1)


def evaluator(
    part: PhotographInputs, masks: Masks, sample: PhotographInputs, sample_masks: Masks
) -> Evaluator:
    """How to evaluate a network on `part`: each method's threshold is the best on `sample`."""

    def evaluate(network: TwoParts) -> PhotographScores:
        _, of_sample = measure(network, sample, sample_masks)
        chosen = of_sample.mean(axis=1).argmax(axis=1)
        scores, values = measure(network, part, masks)
        at_chosen = np.stack([one[:, at] for one, at in zip(values, chosen, strict=True)])
        return PhotographScores(scores, torch.from_numpy(at_chosen))

    return evaluate


def maps_of(
    network: TwoParts, x: Float[Tensor, "batch ..."]
) -> dict[str, Float[np.ndarray, "batch label row column"]]:
    """Maps of every label by each method."""
    device = next(network.parameters()).device
    seen = capture(network, x.to(device), layer=network.features)
    return {method: maps_from_capture(method, seen).cpu().numpy() for method in METHODS}


def difference(maps: Mapping[str, Float[np.ndarray, "batch label row column"]]) -> float:
    """How far methods differ at most, as a share of the largest value of a map."""
    one, other = maps.values()
    largest = np.abs(one).max(axis=(2, 3), keepdims=True)
    return float((np.abs(one - other) / np.where(largest > 0, largest, 1)).max())


def evidence_outside(
    network: TwoParts,
    part: PhotographInputs,
    allowed: Bool[Tensor, "photograph label row column"],
) -> float:
    """Share of what raised scores of shown classes, by HiResCAM, where it is not allowed."""
    labels, everywhere, outside, photograph = part.labels, 0.0, 0.0, 0
    for x in part.batches(range(len(labels))):
        here = slice(photograph, photograph + len(x))
        maps = torch.from_numpy(maps_of(network, x)["hirescam"])
        raised = maps.clamp(min=0) * labels[here][:, :, None, None]
        everywhere += float(raised.sum())
        outside += float((raised * ~allowed[here]).sum())
        photograph = here.stop
    return outside / everywhere if everywhere else 0.0
