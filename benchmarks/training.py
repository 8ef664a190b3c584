"""Training: what a mask loss, bf16 and activations computed twice cost or save in a step.

AxialNet of the paper with 80 labels, slices of 420×420. Things that are compared take turns in
one run; memory is that of a fresh process above its input and weights. Weights are random:
speed and memory do not depend on them.

    python benchmarks/training.py [ROUNDS] [SLICE_GROUPS]
    python benchmarks/training.py memory     a full-size scan, 135 groups of 3 slices
"""

import subprocess
import sys
from contextlib import nullcontext

import torch
from measure import growth_mib, hardware, in_turn, ratios, table

from hirescam.anatomy import LABELS
from hirescam.ct.preparation import Preparation
from hirescam.models.files import new_model
from hirescam.training.modes import checkpointed
from hirescam.training.objective import Objective

FULL = 135
MEMORY = {
    "bf16, activations computed twice": ("bf16", True),
    "fp32, activations computed twice": ("fp32", True),
    "bf16": ("bf16", False),
    "fp32": ("fp32", False),
}


class Step:
    """One training step of AxialNet on noise."""

    def __init__(self, groups, *, precision="fp32", mask_loss=None, twice=False, plain=False):
        torch.manual_seed(0)
        preparation = Preparation(shape=(3 * groups, 420, 420))
        self.network = new_model(
            name="random", labels=LABELS, preparation=preparation, trained_on="nothing"
        ).network.train()
        layout = torch.contiguous_format if plain else torch.channels_last
        for parameter in self.network.features.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.to(memory_format=layout)
        if plain:
            features = self.network.features
            features.forward = lambda x: features.neck(features.trunk(x[0])).transpose(0, 1)[
                None
            ]
        self.objective = Objective(self.network, mask_loss=mask_loss)
        self.optimiser = torch.optim.SGD(self.network.parameters(), lr=1e-3, momentum=0.99)
        self.bf16 = precision == "bf16"
        self.twice = twice
        self.x = torch.rand(1, *preparation.input_shape) - preparation.mean
        self.labels = (torch.rand(1, len(LABELS)) < 0.1).float()
        self.allowed = torch.rand(1, len(LABELS), groups, 6, 6) < 0.2

    def __call__(self):
        self.optimiser.zero_grad(set_to_none=True)
        saving = checkpointed(self.network) if self.twice else nullcontext()
        with saving:
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bf16):
                losses = self.objective(self.x, self.labels, self.allowed)
            torch.autograd.backward(losses.total)
        self.optimiser.step()


def speed(rounds, groups):
    print(
        f"\n## A training step, {groups} groups of 3 slices\n\n{hardware()}; {rounds} rounds\n"
    )
    steps = {
        "plain fp32, NCHW": Step(groups, plain=True),
        "fp32, channels-last": Step(groups),
        "bf16, channels-last": Step(groups, precision="bf16"),
        "bf16, activations computed twice": Step(groups, precision="bf16", twice=True),
    }
    seconds = in_turn(steps, rounds=rounds)
    faster = ratios(seconds, "plain fp32, NCHW")
    rows = [(name, f"{min(own):.2f}", f"{faster[name]:.2f}×") for name, own in seconds.items()]
    table(("step", "best s", "times faster"), rows)
    print()
    for precision in ("fp32", "bf16"):
        pair = {
            "classification": Step(groups, precision=precision),
            "with mask loss": Step(groups, precision=precision, mask_loss="published"),
        }
        seconds = in_turn(pair, rounds=3 * rounds)
        time = 1 / ratios(seconds, "classification")["with mask loss"]
        grown = [growth(groups, precision, "no", loss) for loss in ("none", "published")]
        print(f"mask loss, {precision}: {time:.3f}× time, {grown[1] / grown[0]:.3f}× memory")


def memory():
    print(f"\n## Memory of a training step on 405×420×420\n\n{hardware()}\n")
    rows = [
        (name, f"{growth(FULL, precision, 'yes' if twice else 'no', 'published') / 1024:.1f}")
        for name, (precision, twice) in MEMORY.items()
    ]
    table(("with mask loss", "GiB above input and weights"), rows)


def growth(groups, precision, twice, loss):
    """How far the memory of a fresh process rises in one step, in MiB."""
    command = [sys.executable, "-W", "ignore", __file__, "once", str(groups), precision]
    done = subprocess.run(
        [*command, twice, loss], check=True, stdout=subprocess.PIPE, text=True
    )
    return float(done.stdout)


def once(groups, precision, twice, loss):
    step = Step(
        int(groups),
        precision=precision,
        mask_loss=None if loss == "none" else loss,
        twice=twice == "yes",
    )
    print(growth_mib(step))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["once", *arguments]:
            once(*arguments)
        case ["memory"]:
            memory()
        case numbers:
            rounds, groups = [*map(int, numbers), *(3, 27)[len(numbers) :]]
            speed(rounds, groups)
            memory()
