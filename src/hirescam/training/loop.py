"""Loop: epochs of training steps and validation, from wherever a run stands."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from hirescam.errors import HirescamError
from hirescam.metrics.auroc import auroc
from hirescam.models.files import Model, save_model
from hirescam.training.config import TrainConfig
from hirescam.training.metrics_log import Write
from hirescam.training.objective import Losses, Objective
from hirescam.training.order import Visit, epoch_order, seeded, visits
from hirescam.training.prepared import OnProgress
from hirescam.training.resume import Progress, save_state
from hirescam.training.run_folder import BEST, CHECKPOINT
from hirescam.training.scans import Sample, Scans

if TYPE_CHECKING:
    from lightning.fabric import Fabric
    from lightning.fabric.wrappers import _FabricModule


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


def run_epochs(run: Run, progress: Progress) -> Progress:
    """Train until the last epoch or until patience ends."""
    config = run.config
    while progress.epoch < config.epochs and (
        progress.best_epoch < 0 or progress.waited < config.patience
    ):
        began = time.monotonic()
        run.on_progress("epochs", progress.epoch, config.epochs)
        progress = _train(run, progress)
        row = _means(run, progress) | _validate(run)
        improved = row["valid_loss"] < progress.best_loss
        if improved:
            progress = replace(progress, best_loss=row["valid_loss"], best_epoch=progress.epoch)
        seconds = time.monotonic() - began
        _note(run, "epoch", progress, row | {"seconds": seconds})
        if improved and run.fabric.is_global_zero:
            save_model(_noted(run.model, progress, row), run.folder / BEST)
        progress = replace(progress, epoch=progress.epoch + 1, scans=0, sums=(0.0, 0.0, 0.0))
        _checkpoint(run, progress)
    run.on_progress("epochs", progress.epoch, progress.epoch)
    return progress


def _train(run: Run, progress: Progress) -> Progress:
    """The rest of an epoch."""
    config, fabric = run.config, run.fabric
    per_step = fabric.world_size * config.accumulate
    epoch, seed = progress.epoch, config.seed
    order = epoch_order(len(run.training), seed=seed, epoch=epoch, scans_per_step=per_step)
    rest = visits(
        order,
        seed=seed,
        epoch=epoch,
        augment=config.augmentation != "none",
        start=progress.scans + fabric.global_rank,
        every=fabric.world_size,
    )
    samples = iter(_loader(run, run.training, rest))
    run.shared.train()
    while progress.scans < len(order):
        losses = _step(run, [next(samples) for _ in range(config.accumulate)])
        progress = replace(
            progress,
            scans=progress.scans + per_step,
            steps=progress.steps + 1,
            sums=tuple(a + b for a, b in zip(progress.sums, losses, strict=True)),
        )
        run.on_progress("scans of this epoch", progress.scans, len(order))
        if progress.steps % config.log_every_steps == 0:
            _note(run, "step", progress, dict(zip(_LOSSES, losses, strict=True)))
        if progress.steps % config.checkpoint_every_steps == 0:
            _checkpoint(run, progress)
    return progress


_LOSSES = ("loss", "classification", "mask")


def _means(run: Run, progress: Progress) -> dict[str, float]:
    """Mean losses over the steps of an epoch that is through."""
    steps = progress.scans // (run.fabric.world_size * run.config.accumulate)
    return {
        f"train_{name}": total / steps
        for name, total in zip(_LOSSES, progress.sums, strict=True)
    }


def _step(run: Run, samples: list[Sample]) -> list[float]:
    """One optimiser step on some scans of each process; the mean losses of all of them.

    Batch statistics are those of one scan at a time, however many scans share a step.
    """
    run.optimiser.zero_grad(set_to_none=True)
    sums = torch.zeros(len(_LOSSES), device=run.fabric.device)
    for number, sample in enumerate(samples, start=1):
        is_last = number == len(samples)
        alone = run.fabric.no_backward_sync(run.shared, enabled=not is_last)
        with alone, seeded(sample.seed):
            losses = _of(run.shared, run.fabric.to_device(sample))
            run.fabric.backward(losses.total / len(samples))
        sums += torch.stack([each.detach() for each in losses[:3]])
    means = _reduced(run, sums / len(samples), "mean").tolist()
    if not isfinite(means[0]):
        raise HirescamError(
            f"the loss became {means[0]}: lower learning_rate, or train with precision fp32"
        )
    run.optimiser.step()
    return means


def _validate(run: Run) -> dict[str, float]:
    """Mean losses over the validation scans as they are, and the median AUROC."""
    fabric, scans = run.fabric, run.validation
    run.shared.eval()
    for buffer in run.model.network.buffers():  # the statistics that the model is saved with
        buffer.copy_(fabric.broadcast(buffer.cpu()))
    sums = torch.zeros(len(_LOSSES), device=fabric.device)
    scores = torch.zeros(len(scans), len(scans.anatomy), device=fabric.device)
    mine = [Visit(index) for index in range(fabric.global_rank, len(scans), fabric.world_size)]
    with torch.no_grad(), fabric.autocast():
        for visit, sample in zip(mine, _loader(run, scans, mine), strict=True):
            losses = _of(run.objective, fabric.to_device(sample))
            sums += torch.stack(losses[:3])
            scores[visit.index] = losses.scores[0]
    means = (_reduced(run, sums, "sum") / len(scans)).tolist()
    labels = np.stack([case.labels for case in scans.cases])
    auroc = median_auroc(labels, _reduced(run, scores, "sum").cpu().numpy())
    row = {f"valid_{name}": value for name, value in zip(_LOSSES, means, strict=True)}
    return row | {"valid_median_auroc": auroc}


def median_auroc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Median over the labels that are both present and absent in some scans; else NaN."""
    each = []
    for truth, score in zip(labels.T, scores.T, strict=True):
        known = np.isfinite(truth)
        each.append(auroc(truth[known] > 0, score[known]))
    defined = [value for value in each if isfinite(value)]
    return float(np.median(defined)) if defined else float("nan")


def _reduced(run: Run, values: Tensor, how: str) -> Tensor:
    """Values of all processes, added up or averaged."""
    return cast(Tensor, run.fabric.all_reduce(values, reduce_op=how))


def _of(module: Callable[..., Losses], sample: Sample) -> Losses:
    allowed = None if sample.allowed is None else sample.allowed[None]
    return module(sample.x[None], sample.labels[None], allowed)


def _loader(run: Run, scans: Scans, visits: Iterable[Visit]) -> Iterable[Sample]:
    workers = run.config.workers
    return DataLoader(
        scans,
        sampler=list(visits),
        batch_size=None,
        num_workers=workers,
        multiprocessing_context="spawn" if workers else None,
        pin_memory=run.fabric.device.type == "cuda",
    )


def _note(run: Run, kind: str, progress: Progress, row: dict[str, float]) -> None:
    run.write({"kind": kind, "steps": progress.steps, "epoch": progress.epoch + 1, **row})


def _noted(model: Model, progress: Progress, row: dict[str, float]) -> Model:
    note = (
        f"Epoch {progress.epoch + 1}: validation loss {row['valid_loss']:.4f}, median AUROC "
        f"{row['valid_median_auroc']:.3f}."
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
        }
        save_state(state, run.folder / CHECKPOINT)
