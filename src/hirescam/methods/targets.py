"""Targets: which scores are explained."""

from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from typing import Literal, TypeGuard

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from hirescam.errors import TargetError

Targets = (
    Literal["all", "predicted"]
    | int
    | str
    | Sequence[int | str]
    | Sequence[Sequence[int | str]]
    | Tensor
    | np.ndarray
    | Callable[[Tensor], Tensor]
)
"""Which scores to explain.

Every one ("all"), the highest of each image ("predicted"), an index or a label's name, a list
of these for all images, one such list per image, a 1-D integer tensor or array with one target
per image, as in captum, or any function from scores (batch, label) to
the scores to explain, (batch,) or (batch, target).
"""

Pick = Callable[[Float[Tensor, "row label"]], Float[Tensor, "row target"]]
"""Takes the targets' scores out of the scores of a batch, or of whole batches one by one."""


def picker(
    targets: Targets, scores: Float[Tensor, "batch label"], labels: Sequence[str] = ()
) -> Pick:
    """How to take `targets` out of scores like these; "predicted" stays what it is for these.

    Raises TargetError where a target is unknown or the images are not all given as many.
    """
    if callable(targets):
        return lambda rows: torch.cat(
            [_computed(targets, part) for part in torch.split(rows, len(scores))]
        )
    if isinstance(targets, str) and targets == "all":
        return lambda rows: rows
    index = _indices(targets, scores, labels)
    return lambda rows: rows.gather(1, index.repeat(len(rows) // len(index), 1))


def label_names(network: object) -> tuple[str, ...]:
    """The names that a network gives its scores in an attribute `labels`, if it does."""
    labels = getattr(network, "labels", ())
    named = isinstance(labels, list | tuple) and all(isinstance(name, str) for name in labels)
    return tuple(labels) if named else ()


def _indices(
    targets: object, scores: Float[Tensor, "batch label"], labels: Sequence[str]
) -> Int64[Tensor, "batch target"]:
    batch, count = scores.shape
    if labels and len(labels) != count:
        raise TargetError(f"{len(labels)} labels name the {count} scores of this network")
    if isinstance(targets, str) and targets == "predicted":
        return scores.detach().argmax(dim=1, keepdim=True)
    if isinstance(targets, Tensor | np.ndarray):
        targets = _of_array(targets, batch)
    listed = list(targets) if _is_list(targets) else [targets]
    per_image = [list(row) for row in listed if _is_list(row)] or [listed] * batch
    widths = {len(row) for row in per_image}
    nested = any(_is_list(target) for row in per_image for target in row)
    if len(per_image) != batch or len(widths) > 1 or nested:
        raise TargetError(
            f"targets {targets} asked for a batch of {batch}: give one list for all images, or "
            f"one list per image, {batch} in all and of equal lengths"
        )
    if not widths - {0}:
        raise TargetError(
            f"no targets asked for, but the network has {count} scores: choose from 0 to "
            f'{count - 1}, or targets="all"'
        )
    chosen = [[_index(target, count, labels) for target in row] for row in per_image]
    return torch.tensor(chosen, device=scores.device)


def _of_array(targets: Tensor | np.ndarray, batch: int) -> object:
    """A 1-D array names one target per image, as in captum; others mean what lists do."""
    if targets.ndim != 1:
        return targets.tolist()
    if len(targets) != batch:
        raise TargetError(
            f"{len(targets)} targets came with a batch of {batch}: a 1-D array names "
            f"one target per image; for the same targets of every image give a list, "
            f"targets={targets.tolist()}"
        )
    return [[target] for target in targets.tolist()]


def _is_list(value: object) -> TypeGuard[Iterable[object]]:
    return isinstance(value, Iterable) and not isinstance(value, str)


def _index(target: object, count: int, labels: Sequence[str]) -> int:
    if isinstance(target, str):
        if labels.count(target) > 1:
            raise TargetError(
                f"{labels.count(target)} scores are named {target!r}: give an index instead"
            )
        if target in labels:
            return labels.index(target)
        near = get_close_matches(target, labels, cutoff=0.4)
        raise TargetError(
            f"no score is named {target!r}: "
            + (f"did you mean {' or '.join(near)}?" if near else _how_to_name(labels))
        )
    if isinstance(target, bool) or not hasattr(target, "__index__"):
        raise TargetError(
            f"a target is an index or a name, not the {type(target).__name__} {target!r}"
        )
    index = int(target.__index__())
    if not 0 <= index < count:
        raise TargetError(
            f"target {index} asked for, but the network has {count} scores: choose from 0 to "
            f'{count - 1}, or targets="all"'
        )
    return index


def _how_to_name(labels: Sequence[str]) -> str:
    if labels:
        return f"the names are {', '.join(labels[:5])}{' …' if len(labels) > 5 else ''}"
    return "give the network a list `labels` of names, or capture(…, labels=names)"


def _computed(
    function: Callable[[Tensor], Tensor], scores: Float[Tensor, "batch label"]
) -> Float[Tensor, "batch target"]:
    found = function(scores)
    fits = isinstance(found, Tensor) and found.ndim in (1, 2) and len(found) == len(scores)
    if not fits or not found.is_floating_point() or found.numel() == 0:
        came = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise TargetError(
            f"the function of the scores returns {came}, expected a tensor of {len(scores)} "
            f"numbers, one per image, or (batch, target)"
        )
    return found[:, None] if found.ndim == 1 else found
