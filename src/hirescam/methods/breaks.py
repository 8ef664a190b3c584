"""Breaks: the first part of a network above a layer that is not affine, and the cure.

Two activations and the one half way between them go through the network. As long as what
comes out of a part is half way too, everything up to there was affine; the first that is not is
the culprit. What happens between two modules, in a function, is found the same way.
"""

from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor, nn

from hirescam.methods.capture import Capture
from hirescam.methods.dataflow import unseen
from hirescam.methods.layers import layer_name
from hirescam.methods.replay import Score
from hirescam.methods.state import hooked

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
    """What ran above a captured layer, in order, when it last was watched."""

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
