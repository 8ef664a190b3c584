"""Networks: what a training step of each row of table 1 costs, at the size of simulated chests.

    python benchmarks/networks.py [ROUNDS SCANS]

Steps on noise take turns; speed does not depend on the weights. An epoch is SCANS steps.
"""

import statistics
import sys

import torch
from measure import hardware, in_turn, table

from hirescam.experiments.study import LABELS, PREPARATION
from hirescam.experiments.table1 import ENTRIES
from hirescam.models.files import new_model
from hirescam.training.objective import Objective


class Step:
    """One training step of a row's network, with the class loss alone."""

    def __init__(self, entry):
        torch.manual_seed(0)
        self.network = new_model(
            name="random",
            labels=LABELS,
            preparation=PREPARATION,
            trained_on="nothing",
            architecture=entry.architecture,
            arguments={**entry.small, **entry.variant},
        ).network.train()
        for parameter in self.network.features.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.to(memory_format=torch.channels_last)
        self.objective = Objective(self.network)
        self.optimiser = torch.optim.AdamW(self.network.parameters(), lr=1e-3)
        self.x = torch.rand(1, *PREPARATION.input_shape) - PREPARATION.mean
        self.labels = (torch.rand(1, len(LABELS)) < 0.3).float()

    def __call__(self):
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(self.objective(self.x, self.labels).total)
        self.optimiser.step()


def main():
    given = [int(each) for each in sys.argv[1:]]
    rounds, scans = given if len(given) == 2 else (5, 350)
    steps = {name: Step(entry) for name, entry in ENTRIES.items()}
    seconds = in_turn(steps, rounds=rounds)
    slices, channels, rows, columns = PREPARATION.input_shape
    print(f"\n## A training step, {slices}×{channels}×{rows}×{columns}\n")
    print(f"{hardware()}; {torch.get_num_threads()} threads; {rounds} rounds in turn\n")
    table(
        ("network", "parameters", "ms a step", f"minutes an epoch of {scans} scans"),
        [
            (
                name,
                f"{sum(p.numel() for p in step.network.parameters()):,}",
                f"{1000 * statistics.median(seconds[name]):.0f}",
                f"{scans * statistics.median(seconds[name]) / 60:.1f}",
            )
            for name, step in steps.items()
        ],
    )


if __name__ == "__main__":
    main()
