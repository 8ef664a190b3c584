"""Probes: activations that a network has never seen, and how far scores are from affine there.

A function is affine on a convex set when half way between any two points its value is half way
between theirs. The set probed is what the layer can produce: every activation, or those without
negative values where the layer's own output looks like that of a ReLU. Then a second ReLU above
the layer, which changes nothing there, is not held against it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from hirescam.methods.capture import Capture
from hirescam.methods.replay import Score
from hirescam.methods.targets import Pick, Targets

PROBE_BYTES = 256 * 2**20
"""How much memory the activations that run together may take."""


def points(
    activation: Float[Tensor, "batch channel *space"],
    count: int,
    seed: int,
    bounds: tuple[float, float | None] | None = None,
) -> Iterator[Float[Tensor, "batch channel *space"]]:
    """The activation seen, zero, then `count` probes: a far point, the point half way to it.

    The far points lie once to a thousand times as far as the activation is spread, and to a
    thousand at least: near zero a smooth function looks affine, far off kinks are crossed.
    Half-precision numbers end earlier, and so do the probes. Within `bounds` all stay, where
    the layer can give nothing beyond.
    """
    random = torch.Generator().manual_seed(seed)
    spread = float(activation.float().std(correction=0)) or 1.0
    farthest = 1000.0 if torch.finfo(activation.dtype).max > 1e9 else 30.0
    reach = farthest * max(1.0, 1 / spread)
    low, high = bounds or (0.0 if is_rectified(activation) else None, None)
    far = max(1, count // 2)
    last = activation
    yield activation
    yield torch.zeros_like(activation)
    for step in range(far):
        noise = torch.randn(activation.shape, generator=random)
        if low == 0:
            noise = (noise + step % 4 - 2).clamp(min=0)  # from one place in forty to most
        scale = spread * reach ** (step / max(1, far - 1))
        point = noise.to(activation) * scale
        if bounds is not None:
            point = point.clamp(low, high)
        yield point
        yield (point + last) / 2
        last = point


def output_bounds(layer: nn.Module) -> tuple[float, float | None] | None:
    """The least and the largest value that a layer can give, where its last part says so."""
    last = layer
    while isinstance(last, nn.Sequential) and len(last):
        last = last[-1]
    match last:
        case nn.ReLU6():
            return 0.0, 6.0
        case nn.Hardtanh():
            return last.min_val, last.max_val
        case nn.Sigmoid() | nn.Hardsigmoid():
            return 0.0, 1.0
        case nn.Tanh():
            return -1.0, 1.0
        case nn.ReLU():
            return 0.0, None
    return None


def is_rectified(activation: Float[Tensor, "batch channel *space"]) -> bool:
    """Whether an activation looks like the output of a ReLU: zeros, and nothing below."""
    low, high = activation.aminmax()
    return bool((low == 0) & (high > 0))


def scores_at(
    probed: Sequence[Float[Tensor, "batch channel *space"]],
    seen: Capture,
    score: Score,
    pick: Pick,
) -> tuple[Float[Tensor, "point batch target"], Float[Tensor, "batch target"]]:
    """The targets' scores of every point, a bounded number of points at a time.

    What was seen goes first in every run, as `replay` wants it; that replay of it comes second.
    """
    first, others = probed[0], probed[1:]
    most = max(8, PROBE_BYTES // max(1, first.numel() * first.element_size()))
    groups = ceil(len(others) / most)
    found = [pick(seen.scores.detach())]
    for group in np.array_split(np.arange(len(others)), groups):
        together = torch.cat([first, *(others[at] for at in group)])
        again, *rest = torch.split(pick(score(together)), len(first))
        found += rest
    return torch.stack(found).float(), again.float()


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the targets' gradients say of the activation seen: sum and size of their product."""

    total: Float[Tensor, "batch target"]
    slope: Float[Tensor, "batch target"]
    even: tuple[bool, ...]
    offset_share: float
    """Of an offset, what its rounding may move, counted in tolerances."""


def evidence(seen: Capture, targets: Targets, tolerance: float) -> Evidence:
    """Sums of HiResCAM maps, norms of gradients, and whether these are the same everywhere."""
    activation = seen.activation.detach()
    totals, slopes, even = [], [], []
    for gradient in seen.gradients(targets):
        flat = gradient.flatten(3).double()  # squares of small numbers are no zeros there
        totals.append((flat * activation.flatten(2).double()).sum(dim=(2, 3)).float())
        slopes.append(flat.square().sum(dim=(2, 3)).sqrt().float())
        unevenness = (flat.amax(dim=3) - flat.amin(dim=3)).amax(dim=(1, 2))
        even += (unevenness <= tolerance * flat.abs().amax(dim=(1, 2, 3))).tolist()
    rounding = 8 * _coarsest(activation, seen.scores)
    return Evidence(torch.cat(totals).T, torch.cat(slopes).T, tuple(even), rounding / tolerance)


def disagreement(
    scores: Float[Tensor, "point batch target"],
    probed: Sequence[Float[Tensor, "batch channel *space"]],
    found: Evidence,
) -> Float[Tensor, "target"]:
    """Largest gap per target: of points half way, and of the map's sum for what was seen.

    Relative to how much the scores move between the points, and to what rounding moves.
    """
    size = _sizes(scores, probed, found)
    own = (scores[0] - scores[1] - found.total).abs() / size[0]
    ends = torch.cat([torch.tensor([0]), torch.arange(2, len(probed), 2)])
    far, before, half_way = ends[1:], ends[:-1], ends[1:] + 1
    bent = (scores[half_way] - (scores[far] + scores[before]) / 2).abs()
    gaps = torch.cat([own[None], bent / (size[far] + size[before])])
    return _largest(gaps)


def around(
    scores: Float[Tensor, "point batch target"],
    again: Float[Tensor, "batch target"],
    probed: Sequence[Float[Tensor, "batch channel *space"]],
    found: Evidence,
) -> Float[Tensor, "target"]:
    """How far each score of what was seen moves when the network's input is another.

    Not at all, unless a path leads around the layer. Relative as in `disagreement`.
    """
    moved = (again - scores[0]).abs() / _sizes(scores, probed, found)[0]
    return _largest(moved[None])


def _sizes(
    scores: Float[Tensor, "point batch target"],
    probed: Sequence[Float[Tensor, "batch channel *space"]],
    found: Evidence,
) -> Float[Tensor, "point batch target"]:
    """How far each point may be expected to move a score.

    Of the offset, which may be far larger, only rounding counts: no gap hides behind a bias.
    """
    offset = scores[1]
    spread = torch.stack(
        [point.flatten(1).double().square().mean(1).sqrt().float() for point in probed]
    )
    size = (scores - offset).abs() + spread[:, :, None] * found.slope
    return size + offset.abs() * found.offset_share + torch.finfo(torch.float32).tiny


def _largest(gaps: Float[Tensor, "point batch target"]) -> Float[Tensor, "target"]:
    return gaps.nan_to_num(float("inf"), posinf=float("inf")).amax(dim=(0, 1))


LOOSEST = 5e-4
"""The largest disagreement that still lets a verdict be "exact": float32 with room to sum."""


def coarsest_type(*tensors: Tensor) -> str:
    """The coarsest number format, by name."""
    dtype = max((tensor.dtype for tensor in tensors), key=lambda dtype: torch.finfo(dtype).eps)
    return str(dtype).removeprefix("torch.")


def tolerance(*tensors: Tensor) -> float:
    """The relative disagreement that rounding explains, by the coarsest number format."""
    return max(1e-4, 4 * _coarsest(*tensors))


def _coarsest(*tensors: Tensor) -> float:
    """The least relative step of their number formats; scores are compared in float32."""
    return max(torch.finfo(torch.float32).eps, *map(_resolution, tensors))


def _resolution(tensor: Tensor) -> float:
    kind = tensor.device.type
    if torch.is_autocast_enabled(kind):
        return torch.finfo(torch.get_autocast_dtype(kind)).eps
    tf32 = torch.backends.cuda.matmul.allow_tf32 or torch.backends.cudnn.allow_tf32
    if kind == "cuda" and tensor.dtype == torch.float32 and tf32:
        return 2**-10  # TF32 keeps ten bits
    return torch.finfo(tensor.dtype).eps
