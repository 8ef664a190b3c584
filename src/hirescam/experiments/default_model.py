"""The default model: an EvidenceNet that learns six findings from simulated chests.

It comes with the package, so that the demo and `explain` work at once. It has never seen a
patient. Every training chest has lesion masks, so each cell of the map is trained on whether
a lesion lies there (`cell_loss`); scores follow from the maps. Half of the chests are simulated
at the voxels of usual scans and resampled, half at those of the network.

First whole scans are learnt from, with batch statistics of their own; then, from running
statistics, mostly parts of scans around a lesion, small ones more often.
"""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int8, Int16
from scipy.optimize import minimize
from torch import Tensor, nn

from hirescam.ct.preparation import Preparation, network_input, place
from hirescam.ct.volume import Volume
from hirescam.evaluation.tables import Row, interval_columns
from hirescam.experiments.tables import Table
from hirescam.metrics.classification import auroc_interval
from hirescam.models.evidencenet import EvidenceNet
from hirescam.models.files import Model, new_model, save_model
from hirescam.simulation.chest import SIMULATED_LABELS, simulate
from hirescam.training.checkpoint import load_state, save_state
from hirescam.training.losses import cell_loss
from hirescam.training.outside import lesion_cells
from hirescam.training.prepared import OnProgress

PREPARATION = Preparation(
    spacing_mm=(3.0, 3.2, 3.2), shape=(108, 112, 112), interpolation="linear"
)
SPACINGS_MM = ((2.0, 1.5, 1.5), PREPARATION.spacing_mm)
ONLY_SIMULATED = (
    "This model has only ever seen simulated chests: what it says of a real scan means nothing."
)
FIRST_TRAINING, FIRST_TEST = 100_000, 400_000
"""Seeds of the first chest to train on, and of the first to measure on."""
RARE = np.array([4.0, 1.0, 0.7, 1.5, 5.0, 1.0])
"""How often parts of scans are taken around a lesion of each label: small ones more often."""
_PART = (15, 16, 16)
_EDGE = 2
_CHECKPOINT_EVERY = 100

States = Int8[np.ndarray, "label map_slice map_row map_column"]


@dataclass(frozen=True)
class Scale:
    """How many chests and steps; steps of whole scans, then steps of which 1 in 16 is whole."""

    training: int
    test: int
    whole_steps: int
    part_steps: int


FULL = Scale(training=900, test=200, whole_steps=1200, part_steps=8000)
QUICK = Scale(training=12, test=6, whole_steps=6, part_steps=10)


@dataclass(frozen=True, eq=False)
class LesionChests:
    """Simulated chests on the network's input, their labels and the state of every cell."""

    voxels: Int16[np.ndarray, "scan slices row column"]
    labels: Bool[np.ndarray, "scan label"]
    states: Int8[np.ndarray, "scan label map_slice map_row map_column"]


def run(
    data: Path,
    out: Path,
    *,
    scale: Scale = FULL,
    jobs: int = 1,
    on_progress: OnProgress = lambda name, done, of: None,
) -> Table:
    """Simulate, train, measure on fresh chests; the model is OUT/default.model."""
    training = chests(data / "default-model", FIRST_TRAINING, scale.training, jobs, on_progress)
    test = chests(data / "default-model", FIRST_TEST, scale.test, jobs, on_progress)
    model = untrained(f"{scale.training} simulated chests")
    runs = (
        out / "runs" / f"default-model-{scale.training}-{scale.whole_steps}-{scale.part_steps}"
    )
    fit(model, training, scale, runs / "state.safetensors", on_progress)
    calibrate(model, training)
    rows = measure(model, test)
    notes = (ONLY_SIMULATED, *(describe(row, len(test.labels)) for row in rows))
    save_model(
        replace(model, card=model.card.model_copy(update={"notes": notes})),
        out / "default.model",
    )
    return Table(
        name="default-model",
        title="The default model on simulated chests",
        rows=rows,
        notes=(
            f"{len(test.labels)} simulated chests that it was not trained on; a peak is near "
            f"if it lies in a cell of the lesion or beside one.",
        ),
    )


def untrained(trained_on: str) -> Model:
    """The network before its first step, the same each time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = new_model(
            name="default",
            labels=SIMULATED_LABELS,
            preparation=PREPARATION,
            architecture="EvidenceNet",
            trained_on=trained_on,
            notes=(ONLY_SIMULATED,),
        )
        network = model.network
        assert isinstance(network, EvidenceNet)
        last = network.features.layers[-1]
        assert isinstance(last, nn.Conv3d)
        assert last.bias is not None
        nn.init.constant_(last.bias, -4.0)  # lesions are rare
    return model


def chests(
    folder: Path, first: int, count: int, jobs: int, on_progress: OnProgress
) -> LesionChests:
    """Chests from seed `first` on, kept in `folder`; what is there is not made again."""
    network = untrained("").network
    cells = network.map_shape(PREPARATION.input_shape[0])
    labels = len(SIMULATED_LABELS)
    voxels = _memory(folder / f"{first}-voxels.npy", (count, *PREPARATION.shape), np.int16)
    states = _memory(folder / f"{first}-states.npy", (count, labels, *cells), np.int8)
    truth = _memory(folder / f"{first}-labels.npy", (count, labels), np.int8)
    done = _memory(folder / f"{first}-done.npy", (count,), np.int8)
    missing = np.flatnonzero(done == 0).tolist()
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        seeds = [first + number for number in missing]
        for at, (number, made) in enumerate(zip(missing, pool.map(_chest, seeds), strict=True)):
            voxels[number], states[number], truth[number] = made
            done[number] = 1
            on_progress("simulating chests", at + 1, len(missing))
    return LesionChests(voxels, np.asarray(truth) > 0, states)


def _memory(path: Path, shape: tuple[int, ...], kind: type) -> np.ndarray:
    """An array on disk; a file of fewer rows is made anew."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        found = np.lib.format.open_memmap(path, "r+")
        if found.shape == shape:
            return found
    return np.lib.format.open_memmap(path, "w+", kind, shape)


def _chest(seed: int) -> tuple[np.ndarray, States, list[bool]]:
    torch.set_num_threads(1)
    chest = simulate(seed, spacing_mm=SPACINGS_MM[seed % 2])
    placed = place(chest.volume, PREPARATION)
    cells = untrained("").network.cells(PREPARATION.input_shape[0])
    states = lesion_cells(
        {label: chest.masks.get(label, np.zeros((1, 1, 1), bool)) for label in chest.labels},
        np.linalg.inv(placed.affine) @ chest.volume.affine,
        tuple(axis.first for axis in cells),
        tuple(axis.step for axis in cells),
        (cells[0].count, cells[1].count, cells[2].count),
    )
    return np.rint(placed.voxels).astype(np.int16), states, list(chest.labels.values())


def fit(
    model: Model, chests: LesionChests, scale: Scale, path: Path, on_progress: OnProgress
) -> None:
    """Train in place; a run that was stopped goes on from its last checkpoint."""
    network = model.network
    assert isinstance(network, EvidenceNet)
    steps = scale.whole_steps + scale.part_steps
    optimiser = torch.optim.AdamW(
        [
            {"params": network.features.parameters(), "lr": 3e-3, "weight_decay": 1e-3},
            {"params": network.head.parameters(), "lr": 2e-2, "weight_decay": 0.0},
        ]
    )
    rates = [float(group["lr"]) for group in optimiser.param_groups]
    first = 0
    if path.exists():
        state = load_state(path)
        first = state["step"]
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
    for step in range(first, steps):
        random = np.random.default_rng((0, step))
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * _schedule(step, steps)
        in_parts = step >= scale.whole_steps
        whole = not in_parts or step % 16 == 0
        network.train(not in_parts)
        loss = _loss(network, chests, random, whole=whole)
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        on_progress("training", step + 1, steps)
        if (step + 1) % _CHECKPOINT_EVERY == 0 or step + 1 == steps:
            state = {"network": network.state_dict(), "optimiser": optimiser.state_dict()}
            save_state(state | {"step": step + 1}, path)
    network.eval()


def _schedule(step: int, steps: int) -> float:
    warm_up = min(1.0, 0.1 + step / (0.04 * steps + 1))
    return warm_up * (0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * step / steps)))


def _loss(
    network: EvidenceNet, chests: LesionChests, random: np.random.Generator, *, whole: bool
) -> Float[Tensor, ""]:
    scan = int(random.integers(len(chests.labels)))
    x = network_input(Volume(chests.voxels[scan], np.eye(4)), PREPARATION).flatten(0, 1)
    states = torch.from_numpy(np.asarray(chests.states[scan]))
    if whole:
        x, states = _shifted(x, states, random)
    else:
        begin = _part(states, random)
        cells = tuple(slice(at, at + size) for at, size in zip(begin, _PART, strict=True))
        x = x[
            tuple(slice(4 * at, 4 * (at + size)) for at, size in zip(begin, _PART, strict=True))
        ]
        states = states[(slice(None), *cells)]
    if random.random() < 0.5:
        seed = int(random.integers(2**31))
        noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))
        x = x + random.uniform(0, 0.012) * noise
    if random.random() < 0.3:
        x = x * random.uniform(0.95, 1.05) + random.uniform(-0.01, 0.01)
    channels = PREPARATION.input_shape[1]
    logits = network.features.logits(x.reshape(1, -1, channels, *x.shape[1:]))
    if not whole:  # cells at the edge see less than they will
        inner = (..., *(slice(_EDGE, -_EDGE),) * 3)
        return cell_loss(logits[inner], states[None][inner])
    scores = network.scores(network.features.evidence(logits))
    truth = torch.from_numpy(chests.labels[scan]).float()[None]
    score_loss = F.binary_cross_entropy_with_logits(scores.clamp(-15, 15), truth)
    return cell_loss(logits, states[None]) + 0.3 * score_loss


def _part(states: Tensor, random: np.random.Generator) -> list[int]:
    """Where a part of the scan begins, in cells: around a lesion in three of four."""
    shape = states.shape[1:]
    weights = RARE * (states == 1).flatten(1).any(dim=1).numpy()
    if not weights.any() or random.random() > 0.75:
        pairs = zip(shape, _PART, strict=True)
        return [int(random.integers(0, had - size + 1)) for had, size in pairs]
    label = random.choice(len(weights), p=weights / weights.sum())
    cell = random.choice(torch.nonzero(states[label] == 1).numpy())
    begin = []
    for at, size, had in zip(cell, _PART, shape, strict=True):
        begin.append(int(np.clip(at - random.integers(4, size - 4), 0, had - size)))
    return begin


def _shifted(x: Tensor, states: Tensor, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """The scan moved by up to two cells along each axis, air where nothing comes."""
    moved_x, moved = torch.full_like(x, x.min().item()), torch.zeros_like(states)
    to, source, cells_to, cells_source = [], [], [slice(None)], [slice(None)]
    for size in states.shape[1:]:
        by = int(random.integers(-2, 3))
        into, out_of = (
            slice(max(by, 0), size + min(by, 0)),
            slice(max(-by, 0), size - max(by, 0)),
        )
        cells_to.append(into)
        cells_source.append(out_of)
        to.append(slice(4 * into.start, 4 * into.stop))
        source.append(slice(4 * out_of.start, 4 * out_of.stop))
    moved_x[tuple(to)] = x[tuple(source)]
    moved[tuple(cells_to)] = states[tuple(cells_source)]
    return moved_x, moved


def cell_logits(
    network: EvidenceNet, voxels: Int16[np.ndarray, "slices row column"]
) -> Float[Tensor, "label map_slice map_row map_column"]:
    """The logit of each cell of one chest."""
    x = network_input(Volume(np.array(voxels), np.eye(4)), PREPARATION)[None]
    with torch.no_grad():
        return network.features.logits(x)[0]


def calibrate(model: Model, chests: LesionChests) -> None:
    """Fit each label's threshold, weight and bias to the labels of the training chests.

    Of some thresholds the one is taken on whose summed evidence a logistic regression of the
    labels has the lowest loss; its weight and bias become the head's.
    """
    network = model.network
    assert isinstance(network, EvidenceNet)
    thresholds = np.linspace(-2, 4, 13)
    logits = [cell_logits(network, voxels).flatten(1) for voxels in chests.voxels]
    sums = np.stack(
        [
            [F.relu(each - float(threshold)).sum(dim=1).numpy() for threshold in thresholds]
            for each in logits
        ]
    )
    for label in range(len(model.labels)):
        truth = chests.labels[:, label]
        fits = [_fitted(sums[:, at, label], truth) for at in range(len(thresholds))]
        at = min(range(len(fits)), key=lambda number: fits[number][0])
        _, weight, bias = fits[at]
        with torch.no_grad():
            network.features.threshold[label] = float(thresholds[at])
            network.head.log_weight[label] = float(np.log(weight))
            network.head.bias[label] = bias


def _fitted(
    evidence: Float[np.ndarray, "scan"], truth: Bool[np.ndarray, "scan"]
) -> tuple[float, float, float]:
    """Loss, weight and bias of the logistic regression of the truth on the evidence."""
    scale = float(np.median(evidence[truth])) if truth.any() else 1.0
    x = evidence / max(scale, 1e-6)

    def loss(parameters: np.ndarray) -> float:
        score = np.clip(np.exp(parameters[0]) * x + parameters[1], -30, 30)
        return float(np.mean(np.logaddexp(0, score) - truth * score)) + 1e-4 * float(
            np.sum(parameters**2)
        )

    found = minimize(loss, np.array([1.0, -2.0]), method="Nelder-Mead")
    weight = float(np.exp(found.x[0])) / max(scale, 1e-6)
    return float(found.fun), weight, float(found.x[1])


def measure(model: Model, chests: LesionChests) -> list[Row]:
    """Per label: AUROC with its interval, and how often the map's peak lies at the lesion.

    A map without evidence has its peak in its first cell.
    """
    network = model.network
    assert isinstance(network, EvidenceNet)
    scores, peaks = [], []
    for voxels, states in zip(chests.voxels, chests.states, strict=True):
        with torch.no_grad():
            evidence = network.features.evidence(cell_logits(network, voxels)[None])
            scores.append(network.scores(evidence)[0].numpy())
        at = evidence[0].flatten(1).argmax(dim=1)[:, None]
        of_peak = torch.from_numpy(np.asarray(states)).flatten(1).gather(1, at)[:, 0]
        peaks.append(of_peak.numpy())
    logits, state = np.stack(scores), np.stack(peaks)
    rows: list[Row] = []
    for column, label in enumerate(model.labels):
        truth = chests.labels[:, column]
        on_map = (np.asarray(chests.states[:, column]) == 1).any(axis=(1, 2, 3))
        of_present = state[truth & on_map, column]
        rows.append(
            {
                "label": label,
                "present": int(truth.sum()),
                **interval_columns(
                    "auroc", auroc_interval(truth, logits[:, column].astype(float))
                ),
                "peak_in_lesion": float(np.mean(of_present == 1)) if truth.any() else np.nan,
                "peak_near": float(np.mean(of_present != 0)) if truth.any() else np.nan,
            }
        )
    return rows


def describe(row: Row, scans: int) -> str:
    """One row as a sentence on the model's card."""
    return (
        f"{row['label']}: AUROC {row['auroc']:.3f} on {scans} simulated chests it was not "
        f"trained on ({row['present']} with it); peak within one cell of the lesion in "
        f"{row['peak_near']:.0%}."
    )
