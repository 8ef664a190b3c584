"""train: a data set becomes a model, in a run that can be repeated, stopped and resumed."""

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch

from hirescam.errors import HirescamError, MissingPackageError
from hirescam.models.files import Model, load_model
from hirescam.training import assemble
from hirescam.training.checkpoint import Progress, load_state
from hirescam.training.config import TrainConfig
from hirescam.training.datasets.cases import Cases
from hirescam.training.datasets.read import read_cases
from hirescam.training.loader import PreparedScans
from hirescam.training.loop import Run, on_stop_signal, run_epochs
from hirescam.training.losses import ABSENT_MAY_LOOK, CELLS, mask_loss_parts
from hirescam.training.modes import checkpointed, deterministic
from hirescam.training.objective import Objective
from hirescam.training.prepared import Grid, OnProgress, prepare_all
from hirescam.training.run_folder import BEST, CHECKPOINT, metrics_log, open_run

if TYPE_CHECKING:
    from lightning.fabric import Fabric

PRECISIONS: dict[str, Literal["32-true", "bf16-mixed", "16-mixed"]] = {
    "fp32": "32-true",
    "bf16": "bf16-mixed",
    "fp16": "16-mixed",
}
STRATEGIES = {"script": "ddp", "spawn": "ddp_spawn"}


def _no_progress(name: str, done: int, of: int) -> None:
    """No-op progress callback."""


def train(
    config: TrainConfig,
    out: str | Path,
    *,
    resume: bool = False,
    on_progress: OnProgress = _no_progress,
) -> Model:
    """Train as `config` says into the folder `out`; its best model comes back.

    With `resume` a run that was stopped, at whatever moment, goes on from its last checkpoint
    and ends with the weights that it would have had. Raises `HirescamError` for a config, data
    or folder that cannot be used.
    """
    out = Path(out)
    fabric = make_fabric(config)
    if config.launch == "spawn":
        fabric.launch(partial(_train_here, config=config, out=out, resume=resume))
    else:
        fabric.launch()
        _train_here(fabric, config, out, resume, on_progress)
    return load_model(out / BEST)


def make_fabric(config: TrainConfig) -> "Fabric":
    """Lightning's hold on devices, processes and precision."""
    try:
        from lightning.fabric import Fabric
    except ImportError as error:
        raise MissingPackageError(
            'training needs Lightning: pip install "hirescam[train]"'
        ) from error
    device = config.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu" and config.precision == "fp16":
        raise HirescamError(
            "precision fp16 needs a graphics card, this run is on the CPU: use bf16 or fp32"
        )
    many = config.processes * config.nodes > 1
    return Fabric(
        accelerator=device,
        devices=config.processes,
        num_nodes=config.nodes,
        strategy=STRATEGIES[config.launch] if many else "auto",
        precision=PRECISIONS[config.precision],
    )


def _train_here(
    fabric: "Fabric",
    config: TrainConfig,
    out: Path,
    resume: bool,
    on_progress: OnProgress = _no_progress,
) -> None:
    """The part of one process; only the first reports progress."""
    on_progress = on_progress if fabric.is_global_zero else _no_progress
    cases = read_cases(config)
    with ExitStack() as held:
        if fabric.is_global_zero:
            held.enter_context(open_run(out, config, cases, resume=resume))
        fabric.barrier()
        _train_cases(fabric, config, cases, out, on_progress)


def _train_cases(
    fabric: "Fabric", config: TrainConfig, cases: Cases, out: Path, on_progress: OnProgress
) -> None:
    """Train in a folder that is ours, from its last checkpoint if there is one."""
    model = assemble.initial_model(config, cases)
    grid = assemble.grid(config, model)
    training, validation = _scans(fabric, config, cases, grid, on_progress)
    objective = assemble.objective(config, model.network, training.cases)
    optimiser = assemble.optimiser(config, model.network)
    with ExitStack() as stack:
        if config.deterministic:
            stack.enter_context(deterministic(model.network))
        if config.save_memory:
            stack.enter_context(checkpointed(model.network))
        shared, _ = fabric.setup(objective, optimiser)
        progress = _resumed(fabric, out / CHECKPOINT, objective, optimiser)
        log = metrics_log(
            out,
            steps=progress.steps,
            epochs=progress.epoch,
            tensorboard=config.tensorboard,
            silent=not fabric.is_global_zero,
        )
        run = Run(
            config=config,
            folder=out,
            fabric=fabric,
            model=model,
            objective=objective,
            shared=shared,
            optimiser=optimiser,
            training=training,
            validation=validation,
            write=stack.enter_context(log),
            on_progress=on_progress,
            stop_requested=stack.enter_context(on_stop_signal()),
        )
        run_epochs(run, progress)
    fabric.barrier()


def _scans(
    fabric: "Fabric", config: TrainConfig, cases: Cases, grid: Grid, on_progress: OnProgress
) -> tuple[PreparedScans, PreparedScans]:
    """Training and validation scans, each scan prepared by one of the processes."""
    training, validation = cases.splits["train"], cases.splits["valid"]
    prepared = partial(
        prepare_all,
        grid=grid,
        cache=config.cache or config.data.parent / "cache",
        with_organs=bool(config.region_losses),
        lesions_of=config.labels if CELLS in mask_loss_parts(config.mask_loss) else (),
        inside_margin_mm=config.outside_margin_mm if config.needs_inside else None,
    )
    both = (*training, *validation)
    mine = both[fabric.global_rank :: fabric.world_size]
    prepared(mine, jobs=config.workers, on_progress=on_progress)
    fabric.barrier()
    files = prepared(both)
    scans = partial(
        PreparedScans,
        grid=grid,
        anatomy=cases.anatomy,
        absent_by_anatomy=any(
            ABSENT_MAY_LOOK[name] == "anatomy" for name in config.region_losses
        ),
        exchange_sides=config.augmentation == "sided",
    )
    count = len(training)
    for_training = scans(
        training,
        files[:count],
        outside=config.outside,
        keep_inside=config.gradient_penalty > 0,
        groups=assemble.group_names(training) if config.groups else (),
    )
    return for_training, scans(validation, files[count:])


def _resumed(
    fabric: "Fabric", path: Path, objective: Objective, optimiser: torch.optim.Optimizer
) -> Progress:
    """Where the run stands; weights and optimiser as they were then."""
    if not path.exists():
        return Progress()
    state = load_state(path)
    objective.network.load_state_dict(state["network"])
    if objective.group_weights is not None:
        objective.group_weights.copy_(state["group_weights"])
    optimiser.load_state_dict(state["optimiser"])
    fabric.strategy.precision.load_state_dict(state["precision"])
    return Progress(**state["progress"])
