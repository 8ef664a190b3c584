"""Shortcut: does a mask loss keep a network from using a marker outside the body?

A lead marker goes with a label that can be learnt without it. Networks are trained with each
mask loss; then the marker is taken out of the test scans, or put into all of them. The judge is
what the scores do, for maps can only tell where the evidence lies: Draelos and Carin,
arXiv:2011.08891, section 15 (figure 14).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hirescam.evaluation.localisation import evidence_outside
from hirescam.evaluation.outcomes import Outcomes
from hirescam.evaluation.run import evaluate
from hirescam.evaluation.tables import Row
from hirescam.experiments.chests import (
    NETWORK,
    make_chests,
    partition_table,
    recipe,
    true_cases,
)
from hirescam.experiments.runs import trained
from hirescam.experiments.tables import Table
from hirescam.metrics.auroc import auroc
from hirescam.simulate.planting import Planting
from hirescam.training.prepared import OnProgress

LABEL, MARKER, STRENGTH = "lung_pleural_effusion", "marker", 0.9
NARROW = {"widths": (16, 16), "blocks": (1, 1), "neck": (16,)}


@dataclass(frozen=True)
class Trial:
    """One way of training: on scans with the marker or without, a mask loss, a network."""

    marked: bool = True
    mask_loss: str | None = None
    network: Mapping[str, tuple[int, ...]] | None = None


TRIALS = {
    "class loss, no marker in training": Trial(marked=False),
    "class loss": Trial(),
    "published": Trial(mask_loss="published"),
    "present": Trial(mask_loss="present"),
    "anatomy": Trial(mask_loss="anatomy"),
    "two-sided": Trial(mask_loss="two-sided"),
    "l2": Trial(mask_loss="l2"),
    "class loss, narrow fields": Trial(network=NARROW),
    "two-sided, narrow fields": Trial(mask_loss="two-sided", network=NARROW),
}


@dataclass(frozen=True)
class Scale:
    """How much is simulated and trained, and which trials."""

    chests: int
    epochs: int
    trials: tuple[str, ...] = tuple(TRIALS)


FULL, QUICK = Scale(400, 10), Scale(60, 2, ("class loss", "two-sided"))


def run(
    data: Path,
    out: Path,
    *,
    scale: Scale = FULL,
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
    rows = []
    for name in scale.trials:
        trial = TRIALS[name]
        source = data / ("marked" if trial.marked else "plain")
        folder = runs / name.replace(", ", "-").replace(" ", "-")
        config = recipe(
            source,
            name=folder.name,
            mask_loss=trial.mask_loss,
            arguments=dict(trial.network or NETWORK),
            epochs=scale.epochs,
            workers=jobs,
        )
        model = trained(config, folder, on_progress)
        seen = {
            which: evaluate(
                model,
                of_which,
                data / which / "cache",
                keep=folder / which,
                jobs=jobs,
                on_progress=on_progress,
            )
            for which, of_which in cases.items()
        }
        rows.append({"trained with": name, **_judgement(seen["marked"], seen["plain"])})
    return Table(
        "shortcut",
        f"A marker outside the body that goes with {LABEL} (correlation {STRENGTH})",
        rows,
        notes=_notes(scale, len(cases["plain"])),
    )


def _judgement(marked: Outcomes, plain: Outcomes) -> Row:
    """What taking the marker away does to the scores, and where the map has its evidence.

    Scan by scan the same people with and without it: only those differ who had the marker.
    """
    column = marked.labels.index(LABEL)
    lost = marked.logits[:, column] - plain.logits[:, column]
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


def _notes(scale: Scale, test: int) -> tuple[str, ...]:
    return (
        f"{scale.chests} simulated chests, {test} of them for testing, {scale.epochs} epochs, "
        f"one seed. `score due to marker` is the mean logit that test scans lose when their "
        f"marker is taken away; 0 is a network that does not use it.",
        "Shares are of the HiResCAM evidence for the present label outside its organs.",
    )
