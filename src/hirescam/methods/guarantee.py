"""Guarantee: whether a map accounts for the whole score it explains.

A HiResCAM map does exactly when everything after the layer is affine in what the layer can
produce: then score = offset + sum(gradient * activation), with one gradient and one offset for
all. The audit feeds the rest of the network activations that it has never seen, and the part
below noise, and looks for a gap. One agreement on one input proves little: a ReLU head can
agree there by chance, and a path around the layer changes nothing there.

If, besides, the gradient is the same at every place, the network has the CAM architecture
and Grad-CAM is the same map (Draelos and Carin, arXiv:2011.08891, section 3).
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import partial

import torch
from jaxtyping import Float, Num
from torch import Tensor, nn

from hirescam.methods.breaks import Trail
from hirescam.methods.capture import Capture, capture
from hirescam.methods.dataflow import DataFlow
from hirescam.methods.probes import (
    LOOSEST,
    around,
    coarsest_type,
    disagreement,
    evidence,
    output_bounds,
    points,
    scores_at,
    tolerance,
)
from hirescam.methods.replay import Score, replay
from hirescam.methods.state import HALF, in_float32
from hirescam.methods.targets import Targets


class Kind(StrEnum):
    """What a map of the audited layer is worth, best first."""

    CAM = "exact for HiResCAM and Grad-CAM"
    AFFINE = "exact for HiResCAM"
    NONE = "not guaranteed"


@dataclass(frozen=True)
class Guarantee:
    """The verdict, the largest relative disagreement found, and over how many probes.

    Where nothing is guaranteed, `breaks` is the first part of the network above the layer that
    is not affine, if it could be found, and `cure` what to do about it. `around` names the
    layer if the scores also depend on the input by a path that leads around it. `precision` is
    that of the audit.
    """

    kind: Kind
    gap: float
    probes: int
    tolerance: float = 1e-4
    breaks: str | None = None
    cure: str | None = None
    precision: str = "float32"
    around: str | None = None

    def holds_for(self, method: str) -> bool:
        """Whether maps by `method`, "hirescam" or "gradcam", account for the whole score."""
        exact = {"hirescam": (Kind.CAM, Kind.AFFINE), "gradcam": (Kind.CAM,)}
        return self.kind in exact.get(method, ())

    def sentence(self, method: str) -> str:
        """The verdict in words."""
        if self.holds_for(method):
            return (
                f"Guaranteed: the map adds up exactly to the score minus a constant. "
                f"Everything after the explained layer is affine (largest gap "
                f"{self.gap:.0e} in {self.probes} probes), so nothing the network used is "
                f"missing from the map."
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
                + (f" What breaks it: {self.breaks}." if self.breaks else "")
                + (f" What to do: {self.cure}." if self.cure else "")
            )
        return (
            f"Not guaranteed: the score is not an affine function of the explained layer (gap "
            f"{self.gap:.0e} in {self.probes} probes), so the map may show places that the "
            f"score did not use, or miss some that it did."
            + (f" What breaks it: {self.breaks}." if self.breaks else "")
            + (f" What to do: {self.cure}." if self.cure else "")
        )


def audit(
    network: nn.Module,
    x: Num[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
    probes: int = 16,
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
            seen, score, targets=targets, probes=probes, seed=seed, flow=flow
        )
    return weakest(verdicts)


def audit_each(
    seen: Capture,
    score: Score,
    *,
    targets: Targets = "all",
    probes: int = 16,
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
    probed = list(points(seen.activation.detach(), probes, seed, bounds))
    with torch.no_grad():
        scores, again = scores_at(probed, seen, trail.watch(score), seen.pick(targets))
    found = evidence(seen, targets, limit)
    bent, moved = disagreement(scores, probed, found), around(scores, again, probed, found)
    each = zip(found.even, bent.tolist(), moved.tolist(), strict=True)
    return tuple(_verdict(trail, flow, len(probed) - 2, *one) for one in each), scores[1]


def _verdict(
    trail: Trail, flow: DataFlow | None, probes: int, even: bool, bent: float, moved: float
) -> Guarantee:
    gap, limit = max(bent, moved), trail.tolerance
    precision = coarsest_type(trail.seen.activation, trail.seen.scores)
    told = partial(Guarantee, gap=gap, probes=probes, tolerance=limit, precision=precision)
    if (flow is not None and flow.leads_around) or (moved > limit and not trail.bent):
        path, cure = trail.around(flow.read if flow is not None else None)
        return told(Kind.NONE, breaks=path, cure=cure, around=trail.here)
    if gap > limit:
        culprit, cure = trail.first_break()
        return told(Kind.NONE, breaks=culprit, cure=cure)
    if limit > LOOSEST:
        hidden = f"arithmetic in {precision}, in which a gap of {limit:.0e} cannot be seen"
        return told(Kind.NONE, breaks=hidden, cure="let the network compute in float32")
    return told(Kind.CAM if even else Kind.AFFINE)


def weakest(verdicts: tuple[Guarantee, ...]) -> Guarantee:
    """The least that holds for all of them, with the largest gap."""
    order = list(Kind)
    return max(verdicts, key=lambda verdict: (order.index(verdict.kind), verdict.gap))
