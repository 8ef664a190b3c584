"""Loop: epochs of training steps and validation, from wherever a run stands."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from math import isfinite

import torch

from hirescam.errors import HirescamError
from hirescam.models.files import Model, save_model
from hirescam.training.clock import Clock
from hirescam.training.loader import Sample
from hirescam.training.order import epoch_order, seeded, visits
from hirescam.training.resume import Progress, save_state
from hirescam.training.run import LOSSES, Run, losses_of, stopped
from hirescam.training.run_folder import BEST, CHECKPOINT
from hirescam.training.validate import validate


def run_epochs(run: Run, progress: Progress) -> Progress:
    """Train until the last epoch or until patience ends.

    Raises `HirescamError` if it was told to stop before; what was done is then kept.
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
    rest = visits(
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
    processes stop after the same step if one of them is told to.
    """
    accumulate = run.config.accumulate
    run.optimiser.zero_grad(set_to_none=True)
    sums = torch.zeros(len(LOSSES), device=run.fabric.device)
    for number, sample in enumerate(samples, start=1):
        clock.waited_s += sample.waited_s
        alone = run.fabric.no_backward_sync(run.shared, enabled=number < accumulate)
        with alone, seeded(sample.visit.seed):
            losses = losses_of(run.shared, sample)
            run.fabric.backward(losses.total / accumulate)
        sums += torch.stack([each.detach() for each in losses[:3]])
    stop = sums.new_tensor([float(run.told_to_stop())])
    *means, told = run.reduced(torch.cat([sums / accumulate, stop]), "mean").tolist()
    if not isfinite(means[0]):
        raise HirescamError(
            f"the loss became {means[0]}: lower learning_rate, or train with precision fp32"
        )
    run.optimiser.step()
    return means, told > 0


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
