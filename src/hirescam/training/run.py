"""Run: what takes part in a training run, in each of its processes."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from jaxtyping import Float
from torch import Tensor

from hirescam.errors import HirescamError
from hirescam.models.files import Model
from hirescam.training.config import TrainConfig
from hirescam.training.loader import Sample, loading
from hirescam.training.metrics_log import Write
from hirescam.training.objective import Losses, Objective
from hirescam.training.order import Visit
from hirescam.training.prepared import OnProgress
from hirescam.training.resume import Progress
from hirescam.training.scans import Scans

if TYPE_CHECKING:
    from lightning.fabric import Fabric
    from lightning.fabric.wrappers import _FabricModule

LOSSES = ("loss", "classification", "mask")
"""What is told of a step or an epoch."""


@dataclass(frozen=True, eq=False)
class Run:
    """What takes part in a run. `objective` is this process's; `shared` averages gradients."""

    config: TrainConfig
    folder: Path
    fabric: "Fabric"
    model: Model
    objective: Objective
    shared: "_FabricModule"
    optimiser: torch.optim.Optimizer
    training: Scans
    validation: Scans
    write: Write
    on_progress: OnProgress
    told_to_stop: Callable[[], bool] = lambda: False

    def loading(
        self, scans: Scans, visits: Iterable[Visit]
    ) -> AbstractContextManager[Iterator[Sample]]:
        """Those scans, one by one, on this process's device."""
        threads = max(self.config.workers, 1)
        return loading(scans, visits, device=self.fabric.device, threads=threads)

    def reduced(self, values: Float[Tensor, "*shape"], how: str) -> Float[Tensor, "*shape"]:
        """Values of all processes: their `sum` or their `mean`."""
        return cast(Tensor, self.fabric.all_reduce(values, reduce_op=how))


def losses_of(module: Callable[..., Losses], sample: Sample) -> Losses:
    """What `module`, which may share its gradients with other processes, loses on a scan."""
    return module(sample.x, sample.labels, sample.allowed)


def stopped(progress: Progress) -> HirescamError:
    """Why a run ends here, and how it goes on."""
    return HirescamError(
        f"told to stop by a signal after step {progress.steps}, in epoch "
        f"{progress.epoch + 1}: go on with --resume"
    )
