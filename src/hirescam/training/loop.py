"""Loop: epochs of training steps and validation, from wherever a run stands, until a signal."""

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from math import isfinite
from pathlib import Path
from time import perf_counter
from types import FrameType
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hirescam.errors import HirescamError
from hirescam.metrics.classification import auroc
from hirescam.models.files import Model, save_model
from hirescam.training.checkpoint import Progress, save_state
from hirescam.training.config import TrainConfig
from hirescam.training.loader import PreparedScans, Sample, loading
from hirescam.training.objective import Losses, Objective
from hirescam.training.prepared import OnProgress
from hirescam.training.run_folder import BEST, CHECKPOINT, Write
from hirescam.training.sampler import SamplerItem, epoch_order, sampler_items, seeded

if TYPE_CHECKING:
    from lightning.fabric import Fabric
    from lightning.fabric.wrappers import _FabricModule


@dataclass
class Clock:
    """Runs from when it is made; `scans` of its epoch were done before that."""

    scans: int = 0
    waited_s: float = 0.0
    """Time in which there was nothing to compute, because a scan was still being read."""
    _began: float = field(default_factory=perf_counter)

    @property
    def seconds(self) -> float:
        return perf_counter() - self._began

    def pace(self, scans: int) -> dict[str, float]:
        """Scans of all processes per second so far; the busy share of this process's device."""
        seconds = self.seconds
        return {
            "scans_per_second": (scans - self.scans) / seconds,
            "busy_share": 1 - self.waited_s / seconds,
        }


HEARD = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGUSR1") if hasattr(signal, name))
"""SLURM sends the one that `--signal` names, most others SIGTERM."""


@contextmanager
def on_stop_signal() -> Iterator[Callable[[], bool]]:
    """Whether such a signal came since the block began; afterwards they act as before.

    Python handles signals in its main thread only: elsewhere none is noticed.
    """
    requested = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        requested.set()

    if threading.current_thread() is not threading.main_thread():
        yield requested.is_set
        return
    before = {each: signal.signal(each, handle) for each in HEARD}
    try:
        yield requested.is_set
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


LOSSES = ("loss", "classification", "mask")
"""What is logged of a step or an epoch."""


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
    training: PreparedScans
    validation: PreparedScans
    write: Write
    on_progress: OnProgress
    stop_requested: Callable[[], bool] = lambda: False

    def loading(
        self, scans: PreparedScans, sampler_items: Iterable[SamplerItem]
    ) -> AbstractContextManager[Iterator[Sample]]:
        """Those scans, one by one, on this process's device."""
        threads = max(self.config.workers, 1)
        return loading(scans, sampler_items, device=self.fabric.device, threads=threads)

    def reduced(self, values: Float[Tensor, "*shape"], how: str) -> Float[Tensor, "*shape"]:
        """Values of all processes: their `sum` or their `mean`."""
        return cast(Tensor, self.fabric.all_reduce(values, reduce_op=how))


def sample_losses(module: Callable[..., Losses], sample: Sample) -> Losses:
    """What `module`, which may share its gradients with other processes, loses on a scan."""
    return module(
        sample.x, sample.labels, sample.allowed, sample.lesions, sample.inside, sample.group
    )


def stopped(progress: Progress) -> HirescamError:
    """Why a run ends here, and how it goes on."""
    return HirescamError(
        f"stopped by a signal after step {progress.steps}, in epoch "
        f"{progress.epoch + 1}: go on with --resume"
    )


def validate(run: Run, progress: Progress) -> dict[str, float]:
    """Mean losses over the validation scans as they are, and the median AUROC."""
    fabric, scans = run.fabric, run.validation
    run.shared.eval()
    for buffer in run.model.network.buffers():  # the statistics that the model is saved with
        buffer.copy_(fabric.broadcast(buffer.cpu()))
    sums = torch.zeros(len(LOSSES), device=fabric.device)
    scores = torch.zeros(len(scans), len(scans.anatomy), device=fabric.device)
    mine = [
        SamplerItem(index) for index in range(fabric.global_rank, len(scans), fabric.world_size)
    ]
    with torch.no_grad(), fabric.autocast(), run.loading(scans, mine) as samples:
        for sample in samples:
            if run.stop_requested():  # the checkpoint from before validation is there
                raise stopped(progress)
            losses = sample_losses(run.objective, sample)
            sums += torch.stack(losses[:3])
            scores[sample.item.index] = losses.scores[0]
    means = (run.reduced(sums, "sum") / len(scans)).tolist()
    labels = np.stack([case.labels for case in scans.cases])
    aurocs = defined_aurocs(labels, run.reduced(scores, "sum").cpu().numpy())
    row: dict[str, float] = {
        f"valid_{name}": value for name, value in zip(LOSSES, means, strict=True)
    }
    row |= {"valid_scans": len(scans), "valid_labels_with_auroc": len(aurocs)}
    return row | ({"valid_median_auroc": float(np.median(aurocs))} if aurocs else {})


def defined_aurocs(labels: np.ndarray, scores: np.ndarray) -> list[float]:
    """AUROC of each label that is both present and absent in some scans."""
    each = []
    for truth, score in zip(labels.T, scores.T, strict=True):
        known = np.isfinite(truth)
        each.append(auroc(truth[known] > 0, score[known]))
    return [value for value in each if isfinite(value)]


def run_epochs(run: Run, progress: Progress) -> Progress:
    """Train until the last epoch or until patience ends.

    Raises `HirescamError` if a signal stopped it before; what was done is kept.
    """
    config = run.config
    while progress.epoch < config.epochs and (
        progress.best_epoch < 0 or progress.waited < config.patience
    ):
        run.on_progress("epochs", progress.epoch, config.epochs)
        clock = Clock(scans=progress.scans)
        progress = _train(run, progress, clock)
        pace = clock.pace(progress.scans)
        row = _means(run, progress) | validate(run, progress)
        improved = row["valid_loss"] < progress.best_loss
        if improved:
            progress = replace(progress, best_loss=row["valid_loss"], best_epoch=progress.epoch)
        _note(run, "epoch", progress, row | {"seconds": clock.seconds} | pace)
        if improved and run.fabric.is_global_zero:
            save_model(_noted(run.model, progress, row), run.folder / BEST)
        progress = replace(progress, epoch=progress.epoch + 1, scans=0, sums=(0.0, 0.0, 0.0))
        _checkpoint(run, progress)
    run.on_progress("epochs", progress.epoch, progress.epoch)
    return progress


def _train(run: Run, progress: Progress, clock: Clock) -> Progress:
    """The rest of an epoch."""
    config, fabric = run.config, run.fabric
    per_step = fabric.world_size * config.accumulate
    epoch, seed = progress.epoch, config.seed
    order = epoch_order(len(run.training), seed=seed, epoch=epoch, scans_per_step=per_step)
    rest = sampler_items(
        order,
        seed=seed,
        epoch=epoch,
        augment=config.augmentation != "none",
        start=progress.scans + fabric.global_rank,
        every=fabric.world_size,
    )
    run.shared.train()
    with run.loading(run.training, rest) as samples:
        while progress.scans < len(order):
            losses, stop = _step(run, islice(samples, config.accumulate), clock)
            progress = replace(
                progress,
                scans=progress.scans + per_step,
                steps=progress.steps + 1,
                sums=tuple(a + b for a, b in zip(progress.sums, losses, strict=True)),
            )
            run.on_progress("scans of this epoch", progress.scans, len(order))
            if progress.steps % config.log_every_steps == 0:
                _note(run, "step", progress, dict(zip(LOSSES, losses, strict=True)))
            is_last = progress.scans == len(order)  # validation may take as long as an epoch
            if stop or is_last or progress.steps % config.checkpoint_every_steps == 0:
                _checkpoint(run, progress)
            if stop:
                raise stopped(progress)
    return progress


def _means(run: Run, progress: Progress) -> dict[str, float]:
    """Mean losses over the steps of an epoch that is through."""
    steps = progress.scans // (run.fabric.world_size * run.config.accumulate)
    return {
        f"train_{name}": total / steps
        for name, total in zip(LOSSES, progress.sums, strict=True)
    }


def _step(run: Run, samples: Iterable[Sample], clock: Clock) -> tuple[list[float], bool]:
    """One optimiser step on some scans of each process; their mean losses, whether to stop.

    Batch statistics are those of one scan at a time, however many scans share a step. All
    processes stop after the same step if one of them received a signal.
    """
    accumulate = run.config.accumulate
    run.optimiser.zero_grad(set_to_none=True)
    sums = torch.zeros(len(LOSSES), device=run.fabric.device)
    for number, sample in enumerate(samples, start=1):
        clock.waited_s += sample.waited_s
        alone = run.fabric.no_backward_sync(run.shared, enabled=number < accumulate)
        with alone, seeded(sample.item.seed):
            losses = sample_losses(run.shared, sample)
            run.fabric.backward(losses.total / accumulate)
        sums += torch.stack([each.detach() for each in losses[:3]])
    stop = sums.new_tensor([float(run.stop_requested())])
    *means, stopping = run.reduced(torch.cat([sums / accumulate, stop]), "mean").tolist()
    if not isfinite(means[0]):
        raise HirescamError(
            f"the loss became {means[0]}: lower learning_rate, or train with precision fp32"
        )
    run.optimiser.step()
    return means, stopping > 0


def _note(run: Run, kind: str, progress: Progress, row: dict[str, float]) -> None:
    run.write({"kind": kind, "steps": progress.steps, "epoch": progress.epoch + 1, **row})


def _noted(model: Model, progress: Progress, row: dict[str, float]) -> Model:
    scans = f"{row['valid_scans']:.0f} validation scans"
    loss = f"Epoch {progress.epoch + 1}: loss {row['valid_loss']:.4f} on {scans}"
    note = f"{loss}; no label is both present and absent in them, so that none has an AUROC."
    if "valid_median_auroc" in row:
        note = (
            f"{loss}, median AUROC {row['valid_median_auroc']:.3f} of the "
            f"{row['valid_labels_with_auroc']:.0f} labels that are both present and absent."
        )
    card = model.card.model_copy(update={"notes": (*model.card.notes, note)})
    return replace(model, card=card)


def _checkpoint(run: Run, progress: Progress) -> None:
    if run.fabric.is_global_zero:
        state = {
            "network": run.model.network.state_dict(),
            "optimiser": run.optimiser.state_dict(),
            "precision": run.fabric.strategy.precision.state_dict(),
            "progress": vars(progress),
            "group_weights": run.objective.group_weights,
        }
        save_state(state, run.folder / CHECKPOINT)
