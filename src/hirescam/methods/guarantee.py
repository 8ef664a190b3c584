"""Guarantee: whether a map accounts for the whole score it explains.

A HiResCAM map does exactly when everything after the layer is affine: then
score(A) = offset + sum(gradient * A) for every activation A, with one gradient. The audit
feeds the rest of the network activations that it has never seen and looks for a gap. One
agreement on one input proves little: a ReLU head can agree there by chance.

If, besides, the gradient is the same at every place, the network has the CAM architecture
and Grad-CAM is the same map (Draelos and Carin, arXiv:2011.08891, section 3).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import torch
from einops import einsum
from jaxtyping import Float
from torch import Tensor, nn

from hirescam.methods.capture import Capture, Targets, capture
from hirescam.methods.state import evaluating, hooked


class Kind(StrEnum):
    """What a map of the audited layer is worth, best first."""

    CAM = "exact for HiResCAM and Grad-CAM"
    AFFINE = "exact for HiResCAM"
    NONE = "not guaranteed"


@dataclass(frozen=True)
class Guarantee:
    """The verdict, the largest relative disagreement found, and over how many probes."""

    kind: Kind
    gap: float
    probes: int
    tolerance: float = 1e-4

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
        return (
            f"Not guaranteed: the network is not affine after the explained layer (gap "
            f"{self.gap:.0e} in {self.probes} probes), so the map may show places that the "
            f"score did not use, or miss some that it did."
        )


Score = Callable[[Float[Tensor, "batch channel *space"]], Float[Tensor, "batch label"]]
"""The part of a network above the layer: any number of activations to their scores."""

PROBE_BYTES = 256 * 2**20
"""How much memory the probes may take at a time."""


def audit(
    network: nn.Module,
    x: Float[Tensor, "batch ..."],
    *,
    layer: nn.Module | str | None = None,
    targets: Targets = "all",
    probes: int = 16,
    seed: int = 0,
) -> Guarantee:
    """Whether scores are affine in the output of `layer`: the weakest verdict of the targets.

    The network is left as it was found. It runs once more for all probes together, or once
    per probe where it cannot take another batch size than that of `x`.
    """
    seen = capture(network, x, layer=layer)

    def score(activation: Tensor) -> Tensor:
        replace = hooked(seen.layer, lambda *_: activation.clone())
        with torch.no_grad(), evaluating(network), replace:
            return network(x.detach())

    def score_any(activations: Tensor) -> Tensor:
        parts = torch.split(activations, len(x))
        try:
            together = score(activations)
            if torch.allclose(together[: len(x)], score(parts[0]), rtol=1e-4, atol=1e-6):
                return together
        except (RuntimeError, TypeError, ValueError, AssertionError):
            pass  # somewhere above the layer the network insists on the batch size of x
        return torch.cat([score(part) for part in parts])

    verdicts, _ = audit_each(seen, score_any, targets=targets, probes=probes, seed=seed)
    return weakest(verdicts)


def audit_each(
    seen: Capture, score: Score, *, targets: Targets = "all", probes: int = 16, seed: int = 0
) -> tuple[tuple[Guarantee, ...], Float[Tensor, "batch target"]]:
    """A verdict per target, and the offsets: the targets' scores of an all-zero activation.

    Gaps are relative to the evidence that a probe adds and takes away.
    """
    chosen = seen.indices(targets)
    activation = seen.activation.detach()
    gradient = torch.cat(list(seen.gradients(targets)))
    with torch.no_grad():
        offset = score(torch.zeros_like(activation))[:, chosen]
        gap = torch.zeros(len(chosen))
        for some in _probes(activation, probes, seed):
            found = score(some.flatten(0, 1))[:, chosen].reshape(len(some), len(activation), -1)
            evidence = einsum(gradient.flatten(3), some.flatten(3), "t b c s, p b c s -> p b t")
            size = einsum(
                gradient.flatten(3).abs(), some.flatten(3).abs(), "t b c s, p b c s -> p b t"
            )
            wrong = (found - offset - evidence).abs()
            tiny = torch.finfo(found.dtype).tiny
            worst = (wrong / (size + offset.abs() + tiny)).amax(dim=(0, 1)).cpu()
            gap = torch.fmax(gap, worst.nan_to_num(float("inf")).float())
    verdicts = tuple(
        _verdict(largest, even, probes)
        for largest, even in zip(gap.tolist(), _is_even(gradient), strict=True)
    )
    return verdicts, offset


def weakest(verdicts: tuple[Guarantee, ...]) -> Guarantee:
    """The least that holds for all of them, with the largest gap."""
    order = list(Kind)
    return max(verdicts, key=lambda verdict: (order.index(verdict.kind), verdict.gap))


def _verdict(gap: float, even: bool, probes: int) -> Guarantee:
    verdict = Guarantee(Kind.CAM if even else Kind.AFFINE, gap, probes)
    return verdict if gap <= verdict.tolerance else Guarantee(Kind.NONE, gap, probes)


def _probes(
    activation: Float[Tensor, "batch channel *space"], count: int, seed: int
) -> Iterator[Float[Tensor, "probe batch channel *space"]]:
    """Random activations three times as spread as the one seen, some at a time."""
    random = torch.Generator().manual_seed(seed)
    spread = 3 * activation.std().nan_to_num() + 1e-6
    size = activation.numel() * activation.element_size()
    for some in torch.split(torch.arange(count), max(1, PROBE_BYTES // size)):
        noise = torch.randn(len(some), *activation.shape, generator=random)
        yield noise.to(activation) * spread


def _is_even(gradient: Float[Tensor, "target batch channel *space"]) -> list[bool]:
    """Whether each target's gradient is the same at every place, channel by channel."""
    flat = gradient.flatten(3)
    unevenness = (flat.amax(dim=3) - flat.amin(dim=3)).amax(dim=(1, 2))
    return (unevenness <= 1e-4 * flat.abs().amax(dim=(1, 2, 3))).tolist()
