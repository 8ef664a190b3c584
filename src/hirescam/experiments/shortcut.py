"""Shortcut: does a mask loss keep a network from using a marker outside the body?

A lead marker goes with a label that can be learnt without it. Networks are trained with each
mask loss; then the marker is taken out of the test scans, or put into all of them. The judge is
what the scores do, for maps can only tell where the evidence lies: Draelos and Carin,
arXiv:2011.08891, section 15 (figure 14).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from hirescam.evaluation.localisation import evidence_outside
from hirescam.evaluation.outcomes import Outcomes, evaluate
from hirescam.evaluation.tables import Row
from hirescam.experiments.map_figures import map_scan, panels
from hirescam.experiments.runs import trained
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
from hirescam.training.datasets.cases import Case
from hirescam.training.losses import MASK_LOSS_WEIGHT
from hirescam.training.prepared import OnProgress

LABEL, MARKER, STRENGTH = "lung_pleural_effusion", "marker", 0.9
NARROW = {"widths": (16, 16), "blocks": (1, 1), "neck": (16,)}


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


NETWORKS: dict[str, Mapping[str, tuple[int, ...]]] = {"narrow": NARROW, "wide": NETWORK}
TRIALS = {
    "class loss, no marker in training": Trial(source="plain"),
    "class loss": Trial(),
    "published": Trial("published", STRONG),
    "anatomy": Trial("anatomy", STRONG),
    "present": Trial("present", STRONG),
    "two-sided": Trial("two-sided", 3.0),
    "l2": Trial("l2", 0.01),
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
    further: int = 4
    """Epochs of each trial's own loss after those of classification alone."""


@dataclass(frozen=True, eq=False)
class Tried:
    """What a trial gave: its network, and what that did on the same people with and without."""

    model: Model
    marked: Outcomes
    plain: Outcomes

    @property
    def lost(self) -> Float[np.ndarray, "scan"]:
        """The logits that each scan loses when its marker is taken away."""
        column = self.marked.labels.index(LABEL)
        return self.marked.logits[:, column] - self.plain.logits[:, column]


FULL = ShortcutSize(400, 8)
QUICK = ShortcutSize(60, 2, ("class loss", "two-sided"), further=1)


def run(
    data: Path,
    out: Path,
    *,
    scale: ShortcutSize = FULL,
    jobs: int = 1,
    on_progress: OnProgress = lambda name, done, of: None,
) -> Table:
    """Simulate the same people twice, train every trial, and see what the marker does."""
    data = data / f"shortcut-{scale.chests}-chests"
    runs = out / "runs" / f"{data.name}-{scale.epochs}-epochs"
    strengths = {"marked": STRENGTH, "plain": None}
    for name, strength in strengths.items():
        plantings = [] if strength is None else [Planting(MARKER, LABEL, strength)]
        make_chests(
            data / name, scale.chests, plantings=plantings, jobs=jobs, on_progress=on_progress
        )
        partition_table(data / name)
    cases = {name: true_cases(data / name)["test"] for name in strengths}
    tried = {
        name: _tried(name, data, cases, runs, scale, jobs, on_progress) for name in scale.trials
    }
    return Table(
        "shortcut",
        f"A marker outside the body that goes with {LABEL} (correlation {STRENGTH})",
        [{"trained with": name, **_judgement(each)} for name, each in tried.items()],
        notes=(*_notes(scale, len(cases["plain"])), *_drawn(out, tried, cases)),
    )


def _tried(
    name: str,
    data: Path,
    cases: Mapping[str, Sequence[Case]],
    runs: Path,
    scale: ShortcutSize,
    jobs: int,
    on_progress: OnProgress,
) -> Tried:
    model, folder = _model(name, data, runs, scale, jobs, on_progress)
    marked, plain = (
        evaluate(
            model,
            cases[which],
            data / which / "cache",
            keep=folder / which,
            jobs=jobs,
            on_progress=on_progress,
        )
        for which in ("marked", "plain")
    )
    return Tried(model, marked, plain)


def _model(
    name: str, data: Path, runs: Path, scale: ShortcutSize, jobs: int, on_progress: OnProgress
) -> tuple[Model, Path]:
    """The network of a trial, and its folder: it classifies first, then has its own loss."""
    trial = TRIALS[name]
    source = data / trial.source
    how = partial(
        recipe,
        source,
        organs=source / "truth",  # the losses are asked, not the segmenter
        arguments=NETWORKS[trial.network],
        workers=jobs,
    )
    first = runs / f"first-{trial.source}-{trial.network}"
    trained(how(name=first.name, epochs=scale.epochs), first, on_progress)
    folder = runs / "-".join(name.translate(_FILE_NAME).split())
    config = how(
        name=folder.name,
        mask_loss=trial.mask_loss,
        mask_loss_weight=trial.weight,
        **going_on(first, scale.further),
    )
    return trained(config, folder, on_progress), folder


_FILE_NAME = str.maketrans("/", "_", ",=λ")


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
        f"{scale.chests} simulated chests, {test} of them for testing, one seed. Every network "
        f"learnt from the class loss for {scale.epochs} epochs, and went on for "
        f"{scale.further} with its own; λ: {', '.join(_weights(scale.trials))}.",
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
