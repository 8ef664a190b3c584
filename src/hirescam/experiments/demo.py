"""The demo: a model explains simulated chests that it was not trained on, truth outlined.

The model is the one of the package, or an AxialNet that is trained first. Whatever is printed
follows from the seeds: of 600 chests to train on, and of those to measure on.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int16

from hirescam.atomic import claim_folder
from hirescam.ct.preparation import Preparation, network_input, place
from hirescam.ct.volume import Volume
from hirescam.explanation import Explanation, explain
from hirescam.home import demo_model_path, packaged_model_path
from hirescam.metrics.classification import auroc
from hirescam.metrics.lesions import LESION_MEASURES, lesion_measures
from hirescam.models.accelerate import accelerate
from hirescam.models.files import Model, load_model, new_model, save_model
from hirescam.organs.segment import segment_organs
from hirescam.simulation.chest import SIMULATED_LABELS, SimulatedChest, simulate
from hirescam.summary.folder import write_summary
from hirescam.summary.report_quotes import report_words
from hirescam.training.assemble import initialise
from hirescam.training.fit import Scan, fit
from hirescam.training.outside import lesion_cells

PREPARATION = Preparation(
    spacing_mm=(3.0, 3.2, 3.2), shape=(108, 112, 112), interpolation="linear"
)
NETWORK = {"widths": (16, 32), "blocks": (2, 2), "neck": (32, 16, 16, 16), "padding": 1}
ONLY_SIMULATED = (
    "This model has only ever seen simulated chests: what it says of a real scan means nothing."
)
SHOWN_SPACING_MM = (2.0, 1.5, 1.5)
FIRST_HELD_OUT = 500_000
"""Seed of the first chest to measure on: neither the package's model nor one that is trained
here has seen it or any after it."""
LEARNT = 0.8
"""AUROC from which a finding is worth opening a report on."""

OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Chests:
    """Simulated chests on the network's grid, kept as int16 and windowed when asked for."""

    voxels: Int16[np.ndarray, "scan slice row column"]
    labels: Float32[np.ndarray, "scan label"]

    def __len__(self) -> int:
        return len(self.voxels)

    def __getitem__(self, index: int) -> Scan:
        placed = Volume(self.voxels[index], np.eye(4))
        return network_input(placed, PREPARATION), torch.from_numpy(self.labels[index])

    def __iter__(self) -> Iterator[Scan]:
        return (self[index] for index in range(len(self)))


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What a model said of each chest it was not trained on, and what is true.

    `hits` is NaN where a label is absent, else 1 where its map's peak lies on the lesion or in
    a cell beside it.
    """

    seeds: tuple[int, ...]
    labels: tuple[str, ...]
    truth: Bool[np.ndarray, "scan label"]
    scores: Float[np.ndarray, "scan label"]
    hits: Float[np.ndarray, "scan label"]

    def aurocs(self) -> dict[str, float]:
        """AUROC of each label; NaN where all chests have it, or none."""
        columns = zip(self.labels, self.truth.T, self.scores.T, strict=True)
        return {label: auroc(truth, scores) for label, truth, scores in columns}

    def best(self, count: int) -> list[int]:
        """Seeds of the chests to show, the first with the most findings that the maps meet.

        Before others come those whose most probable finding is learnt, present and met, for on
        that a report opens.
        """
        learnt = np.array([value >= LEARNT for value in self.aurocs().values()])
        met = self.truth & learnt & (self.hits == 1)
        opens = met[np.arange(len(met)), self.scores.argmax(axis=1)]
        order = np.lexsort((-met.sum(axis=1), ~opens))
        return [self.seeds[index] for index in order[:count]]


@dataclass(frozen=True)
class Demo:
    """What the demo left: the model it used, what was measured, and the pages it wrote."""

    model: Path
    measured: HeldOut
    reports: tuple[Path, ...]


def run_demo(
    out: Path,
    *,
    held_out: int = 24,
    shown: int = 2,
    train: bool = False,
    training: int = 600,
    epochs: int = 7,
    seed: int = 0,
    workers: int = 2,
    on_progress: OnProgress = lambda name, done, of: None,
) -> Demo:
    """Measure the package's model, or one trained here, on fresh chests; explain some of them.

    `training`, `epochs` and `seed` say on how many chests, how often and from which seed a
    model is trained, if `train` asks for that.
    """
    claim_folder(out, "demo", older=("demo.model",))
    if train:
        made = trained(training, epochs, seed, workers, on_progress)
        path = save_model(made, out / "demo.model")
    else:
        path = packaged_model_path()
    seeds = range(FIRST_HELD_OUT + seed, FIRST_HELD_OUT + seed + held_out)
    measured = measure(path, seeds, workers, on_progress)
    if train:
        words = ", ".join(f"{label} {value:.2f}" for label, value in measured.aurocs().items())
        note = f"AUROC on {held_out} simulated chests that it was not trained on: {words}."
        card = made.card.model_copy(update={"notes": (ONLY_SIMULATED, note)})
        made = replace(made, card=card)
        save_model(made, demo_model_path())
        save_model(made, path)
    model = accelerate(load_model(path))
    reports = []
    for number in measured.best(shown):
        reports.append(write_report(model, number, out / f"chest-{number}"))
        on_progress("writing reports", len(reports), shown)
    return Demo(path, measured, tuple(reports))


def trained(count: int, epochs: int, seed: int, workers: int, on_progress: OnProgress) -> Model:
    """A small AxialNet, trained on simulated chests from `seed` on."""
    model = new_model(
        name="demo",
        labels=SIMULATED_LABELS,
        preparation=PREPARATION,
        arguments=NETWORK,
        trained_on=f"{count} simulated chests",
        notes=(ONLY_SIMULATED,),
    )
    chests = simulated(count, seed, workers, on_progress)
    initialise(model.network, seed)
    fit(
        model.network,
        chests,
        epochs=epochs,
        learning_rate=3e-3,
        seed=seed,
        on_step=partial(on_progress, "training"),
    )
    return model


def simulated(count: int, seed: int, workers: int, on_progress: OnProgress) -> Chests:
    """Chests `seed`, `seed` + 1, … made by several processes."""
    chests = Chests(
        np.empty((count, *PREPARATION.shape), np.int16),
        np.empty((count, len(SIMULATED_LABELS)), np.float32),
    )
    with _pool(workers) as pool:
        for index, made in enumerate(pool.map(_chest, range(seed, seed + count), chunksize=4)):
            chests.voxels[index], chests.labels[index] = made
            on_progress("simulating chests", index + 1, count)
    return chests


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        workers,
        mp_context=get_context("spawn"),
        initializer=torch.set_num_threads,
        initargs=(1,),
    )


def _chest(seed: int) -> tuple[np.ndarray, list[bool]]:
    chest = simulate(seed, spacing_mm=PREPARATION.spacing_mm)
    return place(chest.volume, PREPARATION).voxels, list(chest.labels.values())


def measure(
    model: Path, seeds: Sequence[int], workers: int, on_progress: OnProgress
) -> HeldOut:
    """Scores of a model on each chest, and whether the maps' peaks lie on the lesions."""
    labels = load_model(model).labels
    rows = []
    with _pool(workers) as pool:
        for row in pool.map(_measured, repeat(model), seeds):
            rows.append(row)
            on_progress("explaining chests", len(rows), len(seeds))
    truth, scores, hits = (np.stack(column) for column in zip(*rows, strict=True))
    return HeldOut(tuple(seeds), labels, truth, scores, hits)


def _measured(path: Path, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, score and hit of each label of one chest."""
    chest = simulate(seed, spacing_mm=PREPARATION.spacing_mm)
    found = explain(_model(path), chest.volume)
    truth = np.array([chest.labels[label] for label in found.labels])
    return truth, found.logits, peak_hits(found, chest)


@cache
def _model(path: Path) -> Model:
    return load_model(path)


def peak_hits(found: Explanation, chest: SimulatedChest) -> Float[np.ndarray, "label"]:
    """1 where a map's peak is in a cell of its lesion or beside one, else 0; NaN if absent."""
    nowhere = np.zeros((1, 1, 1), bool)
    slices, rows, columns = found.raw_maps.shape[1:]
    states = lesion_cells(
        {label: chest.masks.get(label, nowhere) for label in found.labels},
        np.linalg.inv(found.affine) @ chest.volume.affine,
        (0.0, 0.0, 0.0),
        (1.0, 1.0, 1.0),
        (slices, rows, columns),
    )
    near = LESION_MEASURES.index("within_one_cell")
    return np.array(
        [lesion_measures(*pair)[near] for pair in zip(found.raw_maps, states, strict=True)]
    )


def write_report(model: Model, number: int, folder: Path) -> Path:
    """The page of one chest, with organs, what its report says, and lesions outlined."""
    chest = simulate(number, spacing_mm=SHOWN_SPACING_MM)
    found = explain(model, chest.volume)
    write_summary(
        found,
        folder,
        organs=segment_organs(chest.volume),
        words=report_words(chest.report, model.labels),
        lesions=chest.masks,
        overwrite=True,
    )
    return folder / "report.html"
