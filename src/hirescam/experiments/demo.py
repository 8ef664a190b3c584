"""The demo: simulated chests in, a small trained AxialNet and explained held-out scans out.

Chests 0, 1, 2 … train; the ones after them are held out. Everything follows from the seed.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Int16

from hirescam.atomic import claim_folder
from hirescam.ct.preparation import Preparation, network_input, place
from hirescam.ct.volume import Volume
from hirescam.explanation import explain
from hirescam.home import demo_model_path
from hirescam.metrics.classification import auroc
from hirescam.models.accelerate import accelerate
from hirescam.models.files import Model, load_model, new_model, save_model
from hirescam.organs.segment import segment_organs
from hirescam.simulation.chest import SIMULATED_LABELS, simulate
from hirescam.summary.folder import write_summary
from hirescam.summary.report_quotes import report_words
from hirescam.training.assemble import initialise
from hirescam.training.fit import Scan, fit

PREPARATION = Preparation(
    spacing_mm=(3.0, 3.2, 3.2), shape=(108, 112, 112), interpolation="linear"
)
NETWORK = {"widths": (16, 32), "blocks": (2, 2), "neck": (32, 16, 16, 16), "padding": 1}
ONLY_SIMULATED = (
    "This model has only ever seen simulated chests: what it says of a real scan means nothing."
)
SHOWN_SPACING_MM = (2.0, 1.5, 1.5)

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

    def part(self, indices: slice) -> "Chests":
        """Some of the chests, without copying them."""
        return Chests(self.voxels[indices], self.labels[indices])


@dataclass(frozen=True)
class Demo:
    """What the demo left: a model, its held-out AUROC per label, and the pages it wrote."""

    model: Path
    aurocs: dict[str, float]
    reports: tuple[Path, ...]


def run_demo(
    out: Path,
    *,
    training: int = 600,
    held_out: int = 80,
    shown: int = 2,
    epochs: int = 7,
    seed: int = 0,
    workers: int = 2,
    on_progress: OnProgress = lambda name, done, of: None,
) -> Demo:
    """Simulate, train, measure on held-out chests, explain some of them."""
    claim_folder(out, "demo", older=("demo.model",))
    chests = simulated(training + held_out, seed, workers, on_progress)
    unseen = chests.part(slice(training, None))
    model = new_model(
        name="demo",
        labels=SIMULATED_LABELS,
        preparation=PREPARATION,
        arguments=NETWORK,
        trained_on=f"{training} simulated chests",
        notes=(ONLY_SIMULATED,),
    )
    initialise(model.network, seed)
    fit(
        model.network,
        chests.part(slice(training)),
        epochs=epochs,
        learning_rate=3e-3,
        seed=seed,
        on_step=partial(on_progress, "training"),
    )
    aurocs = label_aurocs(model, unseen)
    measured = ", ".join(f"{label} {value:.2f}" for label, value in aurocs.items())
    note = f"AUROC on {held_out} simulated chests that it was not trained on: {measured}."
    model = replace(model, card=model.card.model_copy(update={"notes": (ONLY_SIMULATED, note)}))
    save_model(model, demo_model_path())
    saved = save_model(model, out / "demo.model")
    ready = accelerate(load_model(saved))
    reports = []
    for index in most_findings(unseen, shown):
        number = seed + training + index
        reports.append(explained(ready, number, out / f"chest-{number}"))
        on_progress("explaining", len(reports), shown)
    return Demo(saved, aurocs, tuple(reports))


def explained(model: Model, number: int, folder: Path) -> Path:
    """The page of one chest, with its organs and what its report says."""
    chest = simulate(number, spacing_mm=SHOWN_SPACING_MM)
    found = explain(model, chest.volume)
    organs = segment_organs(chest.volume)
    words = report_words(chest.report, model.labels)
    write_summary(found, folder, organs=organs, words=words, overwrite=True)
    return folder / "report.html"


def label_aurocs(model: Model, chests: Chests) -> dict[str, float]:
    """AUROC of each label over chests that the model was not trained on."""
    with torch.no_grad():
        scores = torch.stack([model.network(x[None])[0] for x, _ in chests]).numpy()
    return {
        label: auroc(chests.labels[:, column] > 0, scores[:, column])
        for column, label in enumerate(model.labels)
    }


def most_findings(chests: Chests, count: int) -> list[int]:
    """The chests that have the most findings, the first of them where they tie."""
    return np.argsort(-chests.labels.sum(axis=1), kind="stable")[:count].tolist()


def simulated(count: int, seed: int, workers: int, on_progress: OnProgress) -> Chests:
    """Chests `seed`, `seed` + 1, … made by several processes."""
    chests = Chests(
        np.empty((count, *PREPARATION.shape), np.int16),
        np.empty((count, len(SIMULATED_LABELS)), np.float32),
    )
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for index, made in enumerate(pool.map(_chest, range(seed, seed + count), chunksize=4)):
            chests.voxels[index], chests.labels[index] = made
            on_progress("simulating chests", index + 1, count)
    return chests


def _chest(seed: int) -> tuple[np.ndarray, list[bool]]:
    torch.set_num_threads(1)
    chest = simulate(seed, spacing_mm=PREPARATION.spacing_mm)
    return place(chest.volume, PREPARATION).voxels, list(chest.labels.values())
