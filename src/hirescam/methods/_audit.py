"""Audit: whether a map accounts for the whole score it explains.

A HiResCAM map does exactly when everything after the layer is affine in what the layer can
produce: then score = offset + sum(gradient * activation), with one gradient and one offset for
all. The audit feeds the rest of the network activations that it has never seen, and looks for a
gap. One agreement on one input proves little: a ReLU head can agree there by chance, and a path
around the layer changes nothing there.

If, besides, the gradient is the same at every place, the network has the CAM architecture
and Grad-CAM is the same map (Draelos and Carin, arXiv:2011.08891, section 3).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from math import ceil
from warnings import warn

import numpy as np
import torch
from jaxtyping import Float, Num
from torch import Tensor, nn

from hirescam.methods._engine import Capture, Score, capture, layer_name, replay
from hirescam.methods.dataflow import DataFlow, unseen
from hirescam.methods.state import HALF, hooked, in_float32
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


HEAD = (
    "end the network in one fully connected layer, with any others as 1×1 convolutions below "
    "the explained layer (methods.single_layer_head builds that), and train it"
)
LOGITS = "let the network return its logits, as its last linear layer gives them"
MODULE = "if it keeps the grid, as a ReLU does, make it a module and explain that one's output"
FEWEST = 6
"""Points in a run that let two far ones and the one half way between them be compared."""


@dataclass
class _Step:
    """One module at work: whether what it took, and what it gave, was no longer half way."""

    name: str
    module: nn.Module
    took_bent: bool
    gave_bent: bool = False
    spatial: bool = False


@dataclass
class Trail:
    """What ran above a captured layer, in order, in its last run."""

    seen: Capture
    tolerance: float
    points: int = 0
    compared: bool = False
    calls: Counter[str] = field(default_factory=Counter)
    steps: list[_Step] = field(default_factory=list)

    def watch(self, score: Score) -> Score:
        """The same scores; the modules that compute them leave their steps here."""

        def watched_score(
            activations: Float[Tensor, "row channel *space"],
        ) -> Float[Tensor, "row label"]:
            self.points = len(activations) // len(self.seen.scores)
            self.steps.clear()
            self.calls.clear()
            with ExitStack() as hooks:
                # what ran before the layer, or inside it, lies below
                hooks.enter_context(hooked(self.seen.layer, lambda *_: self.steps.clear()))
                for name, module in self.seen.network.named_modules():
                    if module is not self.seen.layer and not any(module.children()):
                        self._follow(name, module, hooks)
                return score(activations)

        return watched_score

    @property
    def bent(self) -> bool:
        """Whether some part was seen not to be affine."""
        return any(step.took_bent or step.gave_bent for step in self.steps)

    def first_break(self) -> tuple[str | None, str]:
        """The culprit in words, if one was seen, and the cure."""
        here = layer_name(self.seen.network, self.seen.layer)
        for at, step in enumerate(self.steps):
            if step.took_bent:
                before = self.steps[at - 1].name if at else here
                cure = f"{MODULE}; else {HEAD}" if not at else HEAD
                return f"a function between `{before}` and `{step.name}`", cure
            if step.gave_bent:
                kind = type(step.module).__name__
                before = _weighted(reversed(self.steps[:at])) or f"`{here}`"
                after = _weighted(self.steps[at + 1 :])
                words = f"{kind} `{step.name}` between {before} and {after or 'the scores'}"
                cure = HEAD if after else LOGITS
                return words, self._later(step) if step.spatial else cure
        last = self.steps[-1].name if self.steps else here
        functional = f"a function between `{last}` and the scores"
        cure = f"{LOGITS}; if it does, {HEAD}"
        return functional if self.compared or not self.steps else None, cure

    @property
    def here(self) -> str:
        """The layer's name."""
        return layer_name(self.seen.network, self.seen.layer)

    def around(self, read: str | None = None) -> tuple[str, str]:
        """The culprit where scores depend on the input around the layer, and the cure.

        `read` is the operation by which values of the input came to steer Python.
        """
        if read is not None:
            return (
                f"values computed from the input are read in Python (`{read}`), where they can "
                f"steer the scores",
                "leave such decisions out of the network, or take them by its layers",
            )
        return (
            f"a path from the input to the scores that leads around `{self.here}`",
            "explain the output of a layer above which no other path joins",
        )

    def _later(self, step: _Step) -> str:
        if self.calls[step.name] > 1:
            return (
                f"give this use of `{step.name}`, which runs {self.calls[step.name]} times, a "
                f"module of its own, and explain that module's output"
            )
        return f'explain the output of `{step.name}` instead (layer="{step.name}")'

    def _follow(self, name: str, module: nn.Module, hooks: ExitStack) -> None:
        def enter(module: nn.Module, inputs: Iterable[object]) -> None:
            self.calls[name] += 1
            self.steps.append(_Step(name, module, any(map(self._bends, inputs))))

        def leave(_module: nn.Module, _inputs: object, output: object) -> None:
            self.steps[-1].gave_bent = self._bends(output)
            self.steps[-1].spatial = isinstance(output, Tensor) and output[0, :1].numel() > 1

        hooks.callback(module.register_forward_pre_hook(enter).remove)
        hooks.enter_context(hooked(module, leave))

    def _bends(self, value: object) -> bool:
        """Whether a tensor that belongs to all points together bends between two of them."""
        with unseen():
            return self._bends_between(value)

    def _bends_between(self, value: object) -> bool:
        if not isinstance(value, Tensor) or not value.ndim or self.points < FEWEST:
            return False
        if len(value) == len(self.seen.scores) or len(value) % self.points:
            return False  # not made from the probes
        self.compared = True
        each = value.detach().reshape(self.points, -1).float()
        far, half_way = each[self.points % 2 :: 2][1:], each[self.points % 2 + 1 :: 2][1:]
        bend = (half_way[1:] - (far[:-1] + far[1:]) / 2).abs().amax(dim=1)
        size = far.abs().amax(dim=1)
        return not bool((bend <= max(1e-3, self.tolerance / 2) * (size[:-1] + size[1:])).all())


def _weighted(steps: Iterable[_Step]) -> str | None:
    """The first step with weights: a reader looks for those, not for a Flatten."""
    return next((f"`{s.name}`" for s in steps if [*s.module.parameters()]), None)


class Kind(StrEnum):
    """What a map of the audited layer is worth, best first."""

    CAM = "exact for HiResCAM and Grad-CAM"
    AFFINE = "exact for HiResCAM"
    NONE = "not guaranteed"


EXACT = {
    "hirescam": (Kind.CAM, Kind.AFFINE),
    "gradient_times_activation": (Kind.CAM, Kind.AFFINE),
    "gradcam": (Kind.CAM,),
}
"""The methods whose maps add up to the score, and the kinds of network for which they do."""


@dataclass(frozen=True)
class Guarantee:
    """The verdict, the largest relative disagreement found, and over how many probes.

    Where nothing is guaranteed, `first_nonaffine` is the first part of the network above the
    layer that is not affine, if it could be found, and `suggestion` what to do about it.
    `around` names the layer if the scores also depend on the input by a path that leads around
    it. `precision` is that of the audit.
    """

    kind: Kind
    gap: float
    n_probes: int
    tolerance: float = 1e-4
    first_nonaffine: str | None = None
    suggestion: str | None = None
    precision: str = "float32"
    around: str | None = None

    def holds_for(self, method: str) -> bool:
        """Whether maps by `method`, a name of `METHODS`, account for the whole score."""
        return self.kind in EXACT.get(method, ())

    @property
    def probes(self) -> int:
        """The old name of `n_probes`."""
        _warn_renamed("probes", "n_probes")
        return self.n_probes

    @property
    def breaks(self) -> str | None:
        """The old name of `first_nonaffine`."""
        _warn_renamed("breaks", "first_nonaffine")
        return self.first_nonaffine

    @property
    def cure(self) -> str | None:
        """The old name of `suggestion`."""
        _warn_renamed("cure", "suggestion")
        return self.suggestion

    def sentence(self, method: str) -> str:
        """The verdict in words."""
        if self.holds_for(method):
            return (
                f"Guaranteed: the map adds up exactly to the score minus a constant. "
                f"Everything after the explained layer is affine (largest gap "
                f"{self.gap:.0e} in {self.n_probes} probes), so nothing the network used is "
                f"missing from the map."
            )
        if method not in EXACT and self.kind is not Kind.NONE:
            return (
                "Not guaranteed: maps by this method do not add up to the score, whatever the "
                "network. Use HiResCAM, which is exact for this network."
            )
        if self.kind is Kind.AFFINE:
            return (
                "Not guaranteed: this method averages the gradient over places, but here it "
                "differs between places. Use HiResCAM, which is exact for this network."
            )
        if self.around is not None:
            return (
                f"Not guaranteed: the scores also depend on the input around `{self.around}`, "
                f"so that something the map does not show may decide."
                + (f" What breaks it: {self.first_nonaffine}." if self.first_nonaffine else "")
                + (f" What to do: {self.suggestion}." if self.suggestion else "")
            )
        return (
            f"Not guaranteed: the score is not an affine function of the explained layer (gap "
            f"{self.gap:.0e} in {self.n_probes} probes), so the map may show places that the "
            f"score did not use, or miss some that it did."
            + (f" What breaks it: {self.first_nonaffine}." if self.first_nonaffine else "")
            + (f" What to do: {self.suggestion}." if self.suggestion else "")
        )


def _warn_renamed(old: str, new: str) -> None:
    warn(f"Guarantee.{old} is now called {new}", DeprecationWarning, stacklevel=3)


def audit(
    network: nn.Module,
    x: Num[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
    n_probes: int = 16,
    seed: int = 0,
) -> Guarantee:
    """Whether scores are affine in the output of `layer`: the weakest verdict of the targets.

    The network is left as it was found. It runs twice: once to capture, and once more for all
    probes together, or once per probe where it cannot take another batch size than that of `x`.
    """
    flow = DataFlow()
    with in_float32(network):  # in half precision rounding would hide what is not affine
        x = x.float() if x.dtype in HALF else x
        seen = capture(network, x, layer=layer)
        score = replay(seen, x, flow)
        verdicts, _ = audit_each(
            seen, score, targets=targets, n_probes=n_probes, seed=seed, flow=flow
        )
    return weakest(verdicts)


def audit_each(
    seen: Capture,
    score: Score,
    *,
    targets: Targets = "all",
    n_probes: int = 16,
    seed: int = 0,
    flow: DataFlow | None = None,
) -> tuple[tuple[Guarantee, ...], Float[Tensor, "batch target"]]:
    """A verdict per target, and the offsets: the targets' scores of an all-zero activation.

    Gaps are relative to the evidence that a probe adds and takes away. `flow` is what `score`
    saw of paths around the layer.
    """
    limit = tolerance(seen.activation, seen.scores)
    trail = Trail(seen, limit)
    bounds = output_bounds(seen.layer)
    probed = list(points(seen.activation.detach(), n_probes, seed, bounds))
    with torch.no_grad():
        scores, again = scores_at(probed, seen, trail.watch(score), seen.pick(targets))
    found = evidence(seen, targets, limit)
    bent, moved = disagreement(scores, probed, found), around(scores, again, probed, found)
    each = zip(found.even, bent.tolist(), moved.tolist(), strict=True)
    return tuple(_verdict(trail, flow, len(probed) - 2, *one) for one in each), scores[1]


def _verdict(
    trail: Trail, flow: DataFlow | None, n_probes: int, even: bool, bent: float, moved: float
) -> Guarantee:
    gap, limit = max(bent, moved), trail.tolerance
    precision = coarsest_type(trail.seen.activation, trail.seen.scores)
    told = partial(Guarantee, gap=gap, n_probes=n_probes, tolerance=limit, precision=precision)
    if (flow is not None and flow.leads_around) or (moved > limit and not trail.bent):
        path, suggestion = trail.around(flow.read if flow is not None else None)
        return told(Kind.NONE, first_nonaffine=path, suggestion=suggestion, around=trail.here)
    if gap > limit:
        culprit, suggestion = trail.first_break()
        return told(Kind.NONE, first_nonaffine=culprit, suggestion=suggestion)
    if limit > LOOSEST:
        hidden = f"arithmetic in {precision}, in which a gap of {limit:.0e} cannot be seen"
        return told(
            Kind.NONE, first_nonaffine=hidden, suggestion="let the network compute in float32"
        )
    return told(Kind.CAM if even else Kind.AFFINE)


def weakest(verdicts: tuple[Guarantee, ...]) -> Guarantee:
    """The least that holds for all of them, with the largest gap."""
    order = list(Kind)
    return max(verdicts, key=lambda verdict: (order.index(verdict.kind), verdict.gap))
