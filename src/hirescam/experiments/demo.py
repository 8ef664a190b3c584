"""The demo: simulated chests in, a small trained AxialNet and explained held-out scans out.

Chests 0, 1, 2 … train; the ones after them are held out. Everything follows from the seed.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from hirescam.ct.prepare import Preparation, network_input, place
from hirescam.drawing.summary import write_summary
from hirescam.explanation import explain
from hirescam.home import demo_model_path
from hirescam.metrics.auroc import auroc
from hirescam.models.accelerate import accelerate
from hirescam.models.files import Model, load_model, new_model, save_model
from hirescam.simulate.chest import SIMULATED_LABELS, simulate
from hirescam.training.fit import Scan, fit

PREPARATION = Preparation(
    spacing_mm=(3.0, 3.2, 3.2), shape=(108, 112, 112), interpolation="linear"
)
NETWORK = {"widths": (16, 32), "blocks": (2, 2), "neck": (32, 16, 16, 16)}
ONLY_SIMULATED = (
    "This model has only ever seen simulated chests: what it says of a real scan means nothing."
)
SHOWN_SPACING_MM = (2.0, 1.5, 1.5)

OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Demo:
    """What the demo left: a model, its held-out AUROC per label, and the pages it wrote."""

    model: Path
    aurocs: dict[str, float]
    reports: tuple[Path, ...]


def run_demo(
    out: Path,
    *,
    training: int = 200,
    held_out: int = 60,
    shown: int = 2,
    epochs: int = 8,
    seed: int = 0,
    workers: int = 2,
    on_progress: OnProgress = lambda name, done, of: None,
) -> Demo:
    """Simulate, train, measure on held-out chests, explain some of them."""
    scans = _simulated(training + held_out, seed, workers, on_progress)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = new_model(
            name="demo",
            labels=SIMULATED_LABELS,
            preparation=PREPARATION,
            arguments=NETWORK,
            trained_on=f"{training} simulated chests",
            notes=(ONLY_SIMULATED,),
        )
    fit(
        model.network,
        scans[:training],
        epochs=epochs,
        learning_rate=3e-3,
        seed=seed,
        on_step=partial(on_progress, "training"),
    )
    aurocs = held_out_aurocs(model, scans[training:])
    save_model(model, demo_model_path())
    saved = save_model(model, out / "demo.model")
    ready = accelerate(load_model(saved))
    reports = []
    for index in most_findings(scans, training, shown):
        chest = simulate(seed + index, spacing_mm=SHOWN_SPACING_MM)
        found = explain(ready, chest.volume)
        folder = write_summary(found, out / f"chest-{index}", overwrite=True)
        reports.append(folder / "report.html")
        on_progress("explaining", len(reports), shown)
    return Demo(saved, aurocs, tuple(reports))


def held_out_aurocs(model: Model, scans: Sequence[Scan]) -> dict[str, float]:
    """AUROC of each label over scans that the model was not trained on."""
    with torch.no_grad():
        scores = torch.stack([model.network(x[None])[0] for x, _ in scans]).numpy()
    present = torch.stack([labels for _, labels in scans]).numpy() > 0
    return {
        label: auroc(present[:, column], scores[:, column])
        for column, label in enumerate(model.labels)
    }


def most_findings(scans: Sequence[Scan], first: int, count: int) -> list[int]:
    """The held-out scans, from `first` on, that have the most findings."""
    totals = [int(labels.sum()) for _, labels in scans]
    return sorted(range(first, len(scans)), key=lambda index: -totals[index])[:count]


def _simulated(count: int, seed: int, workers: int, on_progress: OnProgress) -> list[Scan]:
    """Inputs and labels of simulated chests, made by several processes."""
    scans = []
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        made = pool.map(_scan, range(seed, seed + count), chunksize=4)
        for placed, labels in made:
            scans.append((torch.from_numpy(placed), torch.from_numpy(labels)))
            on_progress("simulating chests", len(scans), count)
    return scans


def _scan(seed: int) -> tuple[np.ndarray, np.ndarray]:
    torch.set_num_threads(1)
    chest = simulate(seed, spacing_mm=PREPARATION.spacing_mm)
    x = network_input(place(chest.volume, PREPARATION), PREPARATION)
    labels = [float(chest.labels[label]) for label in SIMULATED_LABELS]
    return x.numpy(), np.array(labels, dtype=np.float32)
