"""Shortcut: does a mask loss keep a network from using a marker outside the body?

A lead marker goes with a label that can be learnt without it. Networks are trained with each
mask loss; then the marker is taken out of the test scans, or put into all of them. The judge is
what the scores do, for maps can only tell where the evidence lies: Draelos and Carin,
arXiv:2011.08891, section 15 (figure 14).
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from hirescam.atomic import atomic_write
from hirescam.evaluation.localisation import evidence_outside
from hirescam.evaluation.outcomes import Outcomes, evaluate
from hirescam.evaluation.tables import Row
from hirescam.experiments.map_figures import map_scan, panels
from hirescam.experiments.runs import cases_key, run_folder, trained
from hirescam.experiments.study import (
    NETWORK,
    STRONG,
    going_on,
    make_chests,
    partition_table,
    recipe,
    true_cases,
)
from hirescam.experiments.tables import Table
from hirescam.figures.output import TWO_COLUMNS_MM, headed, printed, where_drawn
from hirescam.figures.scan_panel import Scene, colour_bar
from hirescam.metrics.classification import auroc
from hirescam.models.files import Model
from hirescam.simulation.shortcuts import Planting
from hirescam.training.datasets.cases import Case, rows
from hirescam.training.losses import MASK_LOSS_WEIGHT
from hirescam.training.prepared import OnProgress

LABEL, MARKER, STRENGTH = "lung_pleural_effusion", "rod", 0.9
SOURCES = {"marked": STRENGTH, "plain": None, "swapped": -1.0}
"""The same people with the marker, without it, and with it just where the label is not."""
NARROW = {"widths": (16, 16), "blocks": (1, 1), "neck": (16,), "padding": 1}


@dataclass(frozen=True)
class Trial:
    """One way of training: on scans with the marker or without, a mask loss and λ, a network.

    Strengths are what a few epochs need to show something; larger ones of `two-sided` and `l2`
    extinguish all features.
    """

    mask_loss: str | None = None
    weight: float = MASK_LOSS_WEIGHT
    source: str = "marked"
    network: str = "narrow"
    changes: Mapping[str, object] = field(default_factory=dict)
    """Further keys of the recipe, from the first epoch on where they change what is seen."""

    @property
    def from_the_start(self) -> bool:
        """Whether it is trained in one piece and does not go on from the class loss."""
        return bool(self.changes) and self.mask_loss is None


NETWORKS: dict[str, Mapping[str, object]] = {"narrow": NARROW, "wide": NETWORK}
TRIALS = {
    "class loss, no marker in training": Trial(source="plain"),
    "class loss": Trial(),
    "published": Trial("published", STRONG),
    "anatomy": Trial("anatomy", STRONG),
    "present": Trial("present", STRONG),
    "two-sided": Trial("two-sided", 3.0),
    "l2": Trial("l2", 0.01),
    "fraction": Trial("fraction", 1.0),
    "air outside": Trial(changes={"outside": "air"}),
    "swap outside": Trial(changes={"outside": "swap"}),
    "group DRO": Trial(changes={"groups": "marker"}),
    "gradient penalty": Trial(changes={"gradient_penalty": 100.0}),
    "published, λ = 1/3": Trial("published"),
    "class loss, wide fields": Trial(network="wide"),
    "published, wide fields": Trial("published", STRONG, network="wide"),
    "two-sided, wide fields": Trial("two-sided", 3.0, network="wide"),
}

PICTURED = 6
WHO = (
    "Above with the marker, below the same patient without, in the plane of the marker: the "
    "one whose score owes it most under the first loss. Each map has its own scale."
)


@dataclass(frozen=True)
class ShortcutSize:
    """How much is simulated and trained, and which trials."""

    chests: int
    epochs: int
    trials: tuple[str, ...] = tuple(TRIALS)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    further: int = 4
    """Epochs of each trial's own loss after those of classification alone."""


@dataclass(frozen=True, eq=False)
class Tried:
    """What a trial gave: its network, and what that did on the same people in `SOURCES`."""

    model: Model
    marked: Outcomes
    plain: Outcomes
    swapped: Outcomes

    @property
    def lost(self) -> Float[np.ndarray, "scan"]:
        """The logits that each scan loses when its marker is taken away."""
        column = self.marked.labels.index(LABEL)
        return self.marked.logits[:, column] - self.plain.logits[:, column]


FULL = ShortcutSize(400, 8)
QUICK = ShortcutSize(120, 2, ("class loss", "two-sided", "swap outside"), seeds=(0,), further=1)


def run(
    data: Path,
    out: Path,
    *,
    scale: ShortcutSize = FULL,
    jobs: int = 1,
    on_progress: OnProgress = lambda name, done, of: None,
) -> Table:
    """Simulate the same people three times, train every trial, and see what the marker does."""
    data = data / f"shortcut-{scale.chests}-chests"
    runs = out / "runs" / f"{data.name}-{scale.epochs}-epochs"
    for name, strength in SOURCES.items():
        plantings = [] if strength is None else [Planting(MARKER, LABEL, strength)]
        make_chests(
            data / name, scale.chests, plantings=plantings, jobs=jobs, on_progress=on_progress
        )
        _with_groups(partition_table(data / name), data / name / "shortcuts.csv")
    cases = {name: true_cases(data / name) for name in SOURCES}
    of_test = {name: each["test"] for name, each in cases.items()}
    tried = {
        name: [
            _tried(name, seed, data, of_test, runs, scale, jobs, on_progress)
            for seed in scale.seeds
        ]
        for name in scale.trials
    }
    return Table(
        "shortcut",
        f"A marker outside the body that goes with {LABEL} (correlation {STRENGTH})",
        [{"trained with": name, **_over_seeds(each)} for name, each in tried.items()],
        notes=(
            *_notes(scale, len(of_test["plain"])),
            *_drawn(out, {name: each[0] for name, each in tried.items()}, of_test),
        ),
    )


def _with_groups(table: Path, shortcuts: Path) -> None:
    """Add the column that group DRO reads: whether a scan has the marker."""
    has = {row["id"]: row.get(MARKER, "0") for row in rows(shortcuts)}
    text = io.StringIO(newline="")
    written = list(rows(table))
    file = csv.DictWriter(text, [*written[0], "marker"], lineterminator="\n")
    file.writeheader()
    file.writerows({**row, "marker": has[row["id"]]} for row in written)
    with atomic_write(table) as stored:
        stored.write(text.getvalue().encode())


def _tried(
    name: str,
    seed: int,
    data: Path,
    cases: Mapping[str, Sequence[Case]],
    runs: Path,
    scale: ShortcutSize,
    jobs: int,
    on_progress: OnProgress,
) -> Tried:
    model, folder = _model(name, seed, data, runs, scale, jobs, on_progress)
    marked, plain, swapped = (
        evaluate(
            model,
            cases[which],
            data / which / "cache",
            keep=folder / f"{which}-{cases_key(cases[which], data / which / 'cache')}",
            jobs=jobs,
            on_progress=on_progress,
        )
        for which in SOURCES
    )
    return Tried(model, marked, plain, swapped)


def _model(
    name: str,
    seed: int,
    data: Path,
    runs: Path,
    scale: ShortcutSize,
    jobs: int,
    on_progress: OnProgress,
) -> tuple[Model, Path]:
    """The network of a trial, and its folder: it classifies first, then has its own loss.

    What changes the scans that are seen, or how groups count, holds from the first epoch on.
    """
    trial = TRIALS[name]
    source = data / trial.source
    how = partial(
        recipe,
        source,
        organs=source / "truth",  # the losses are asked, not the segmenter
        arguments=NETWORKS[trial.network],
        workers=jobs,
        seed=seed,
    )
    run_name = "-".join([*name.translate(_FILE_NAME).split(), str(seed)])
    if trial.from_the_start:
        whole = how(name=run_name, epochs=scale.epochs + scale.further, **trial.changes)
        folder = run_folder(runs, whole)
        return trained(whole, folder, on_progress), folder
    begin = how(name=f"first-{trial.source}-{trial.network}-{seed}", epochs=scale.epochs)
    first = run_folder(runs, begin)
    trained(begin, first, on_progress)
    config = how(
        name=run_name,
        mask_loss=trial.mask_loss,
        mask_loss_weight=trial.weight,
        **going_on(first, scale.further),
    )
    folder = run_folder(runs, config)
    return trained(config, folder, on_progress), folder


_FILE_NAME = str.maketrans("/", "_", ",=λ")


def _over_seeds(of_seeds: Sequence[Tried]) -> Row:
    """Means over the seeds, and the AUROCs of each."""
    each = [_judgement(one) for one in of_seeds]
    means: Row = {
        name: _mean_of_defined([float(str(one[name])) for one in each]) for name in each[0]
    }
    for name in ("auroc_marker_taken_away", "auroc_marker_swapped"):
        means[f"{name}_of_seeds"] = ", ".join(f"{float(str(one[name])):.3f}" for one in each)
    return means


def _judgement(tried: Tried) -> Row:
    """What taking the marker away does to the scores, and where the map has its evidence.

    Only those scans differ that had the marker.
    """
    marked, plain, lost = tried.marked, tried.plain, tried.lost
    column = marked.labels.index(LABEL)
    changed = np.abs(lost) > 0
    outside = {
        row["sign"]: row["share_outside"]
        for row in evidence_outside(marked)
        if row["label"] == LABEL and row["method"] == "hirescam"
    }
    return {
        "auroc_with_marker": _auroc(marked, column),
        "auroc_marker_taken_away": _auroc(plain, column),
        "auroc_marker_swapped": _auroc(tried.swapped, column),
        "score_due_to_marker": float(lost[changed].mean()) if changed.any() else np.nan,
        "positive_evidence_outside": outside["positive"],
        "negative_evidence_outside": outside["negative"],
        "auroc_of_other_labels": _mean_of_defined(
            [_auroc(plain, c) for c in range(len(plain.labels)) if c != column]
        ),
    }


def _auroc(outcomes: Outcomes, column: int) -> float:
    present = outcomes.truth[:, column] == 1
    return auroc(present, outcomes.logits[:, column].astype(float))


def _mean_of_defined(values: Sequence[float]) -> float:
    defined = [value for value in values if not np.isnan(value)]
    return float(np.mean(defined)) if defined else np.nan


def _drawn(
    out: Path, tried: Mapping[str, Tried], cases: Mapping[str, Sequence[Case]]
) -> tuple[str, ...]:
    """The picture of one patient, and the note that tells where it is."""
    marked = {name: each for name, each in tried.items() if TRIALS[name].source == "marked"}
    shown = dict(list(marked.items())[:PICTURED])
    patient = int(next(iter(shown.values())).lost.argmax())
    draw_marker_maps(
        out / "shortcut",
        {name: each.model for name, each in shown.items()},
        cases["marked"][patient],
        cases["plain"][patient],
        LABEL,
    )
    return (where_drawn("shortcut", WHO),)


def _notes(scale: ShortcutSize, test: int) -> tuple[str, ...]:
    return (
        f"{scale.chests} simulated chests, {test} of them for testing; seeds: "
        f"{len(scale.seeds)}. Every network learnt from the class loss for {scale.epochs} "
        f"epochs, and went on for {scale.further} with its own; "
        f"λ: {', '.join(_weights(scale.trials))}.",
        "`auroc marker swapped` is that on the same people with the marker just where the "
        "label is not: a network that follows it falls below 0.5.",
        "What changes the scans that are seen (`air outside`, `swap outside`) or what they "
        "count (`group DRO`, `gradient penalty`) holds from the first epoch on, for as many "
        "epochs in all.",
        "`score due to marker` is the mean logit that test scans lose when their marker is "
        "taken away; 0 is a network that does not use it.",
        "Shares are of the HiResCAM evidence for the present label outside its organs.",
    )


def _weights(trials: Sequence[str]) -> list[str]:
    """The λ of each trial that has a mask loss."""
    return [
        f"{TRIALS[name].weight:.3g} for {name}" for name in trials if TRIALS[name].mask_loss
    ]


_SHOWN_MM = (352.0, 352.0)  # the patient and what lies beside
_TITLE_MM = 4.5


def draw_marker_maps(
    path: Path, models: Mapping[str, Model], marked: Case, plain: Case, label: str
) -> None:
    """PATH.pdf and PATH.png: a row for each scan, a column for each model.

    Shown is the plane in which the two scans differ most. Maps alone do not judge: a network
    can use a marker through cells that lie in the organ. So each panel tells its score too.
    """
    panel_mm = TWO_COLUMNS_MM / (len(models) + 0.5)
    height_mm = 2 * (panel_mm + _TITLE_MM)
    with printed(path, width_mm=TWO_COLUMNS_MM, height_mm=height_mm) as figure:
        grid = panels(figure, 2, len(models))
        for column, (name, model) in enumerate(models.items()):
            mapped = [map_scan(model, case, ("hirescam",)) for case in (marked, plain)]
            at = _differing_slice(*(one.scene for one in mapped))
            titles = (headed(column, name), "without marker")
            for panel, one, title in zip(grid[:, column], mapped, titles, strict=True):
                one.draw(panel, label, at=at, shown_mm=_SHOWN_MM)
                panel.set_title(f"{title}: {one.explanations['hirescam'].scores[label]:+.1f}")
        colour_bar(figure, grid[:, -1], aspect=30, shrink=0.6)


def _differing_slice(one: Scene, other: Scene) -> int:
    """The slice of the map next to where two scans of a patient differ most."""
    change = np.abs(one.stage.scan.voxels - other.stage.scan.voxels.astype(float))
    along = one.stage.axes[0]
    most = change.sum(axis=(1, 2)).argmax()
    return min(range(along.cells), key=lambda at: abs(along.voxel(at) - most))
