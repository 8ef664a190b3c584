"""Figure 14: a network that judges a finding by the patient's fat, and one kept from it.

Draelos and Carin, arXiv:2011.08891, figure 14: trained on classes alone, AxialNet seemed to see
great vessel atherosclerosis in fat of the body wall; the mask loss seemed to mend that. There
it is a case of two patients; here also of all test scans: how much a score goes with fat among
patients who do not have the finding. Simulated, the finding is an enlarged heart, which a small
network can learn, and fat goes with it in training only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from scipy.stats import spearmanr

from hirescam.atomic import atomic_write
from hirescam.ct.reading import read_volume
from hirescam.ct.volume import Volume
from hirescam.evaluation.outcomes import Outcomes
from hirescam.evaluation.tables import Row
from hirescam.experiments.map_figures import METHOD_NAMES, map_scan, panels, some_scans
from hirescam.experiments.runs import CLASS, MASK, AxialNet, axialnet
from hirescam.experiments.study import (
    Study,
    StudySize,
    make_chests,
    partition_table,
    recipe,
    study,
    true_cases,
)
from hirescam.experiments.tables import Table
from hirescam.figures.output import TWO_COLUMNS_MM, headed, printed, readable, where_drawn
from hirescam.figures.scan_panel import HEIGHT_OF_WIDTH, colour_bar, note
from hirescam.metrics.classification import auroc
from hirescam.organs.lungs import body
from hirescam.organs.work_grid import work_grid
from hirescam.simulation.shortcuts import Planting
from hirescam.training.datasets.cases import Case
from hirescam.training.prepared import OnProgress

FAT_HU = (-190, -30)
"""Adipose tissue on CT: Yoshizumi et al., Radiology 211:283-286, 1999."""


def with_fat(
    plain: Study,
    folder: Path,
    scale: StudySize,
    label: str,
    strength: float,
    *,
    jobs: int,
    on_progress: OnProgress,
) -> Study:
    """A simulated study whose people, in training, have fat that goes with `label`.

    `strength` is their correlation. The test scans stay as they are: there, fat goes with
    nothing.
    """
    planted = (Planting("body_fat", label, strength),)
    make_chests(folder, scale.chests, plantings=planted, jobs=jobs, on_progress=on_progress)
    partition_table(folder)
    told = (
        f"In training and validation, fat of the body wall goes with {label} (correlation "
        f"{strength}), in the test scans with nothing; one seed. {plain.told}"
    )
    return replace(
        plain,
        told=told,
        recipe=partial(recipe, folder, epochs=scale.epochs, patience=scale.patience),
        cases={"valid": true_cases(folder)["valid"], "test": plain.cases["test"]},
        cache=folder / "cache",
        runs=plain.runs.with_name(f"{folder.name}-{scale.epochs}-epochs"),
    )


def fat_share(scan: Volume) -> float:
    """The share of fat in the tissue of the body, from 0 to 1; lungs are no tissue."""
    hu = work_grid(scan).hu
    tissue = hu[body(hu)]
    low, high = FAT_HU
    return float(np.mean((tissue >= low) & (tissue <= high))) if len(tissue) else np.nan


def kept_fat_share(case: Case, folder: Path) -> float:
    """The fat of a case's scan, measured once and kept in `folder`."""
    path = folder / f"{case.id}.txt"
    if not path.exists():
        with atomic_write(path) as file:
            file.write(repr(fat_share(read_volume(case.scan))).encode())
    return float(path.read_text())


FULL, QUICK = StudySize(500, 30, (0,)), StudySize(120, 2, (0,), further=1)
SIMULATED_LABEL, PAPER_LABEL, STRENGTH = (
    "heart_cardiomegaly",
    "great_vessel_atherosclerosis",
    0.9,
)
LOSSES = {"class loss": CLASS, "class + mask loss": MASK}
PAPER = {  # probability above the label's mean, relative to it: of the heavy, of the thin
    "class loss": {"heavy": 1.70, "thin": 1.08},
    "class + mask loss": {"heavy": 1.83, "thin": 1.57},
}
FEWEST = 5  # scans from which a correlation says something

Fat = Float[np.ndarray, "scan"]


def run(
    data: Path,
    out: Path,
    *,
    scale: StudySize = FULL,
    jobs: int = 1,
    on_progress: OnProgress = lambda name, done, of: None,
) -> Table:
    """Train with either loss, measure fat in the test scans, and set scores against it."""
    chests, label = _case(data, out, scale, jobs, on_progress)
    nets = {
        name: axialnet(chests, aim, jobs=jobs, on_progress=on_progress)
        for name, aim in LOSSES.items()
    }
    numbers = some_scans(len(chests.cases["test"]))
    cases = [chests.cases["test"][number] for number in numbers]
    fat = []
    for done, case in enumerate(cases, start=1):
        fat.append(kept_fat_share(case, chests.runs / "fat"))
        on_progress("measuring fat", done, len(cases))
    tests = {name: net.test.of(numbers) for name, net in nets.items()}
    patients = _patients(next(iter(tests.values())), label, np.array(fat))
    rows = [_row(name, test, label, np.array(fat), patients) for name, test in tests.items()]
    notes = [
        "Correlations are Spearman's, of scores with the share of fat in the body, among test "
        "scans without the label and with it: without a shortcut, the former is near 0. "
        "`over_mean` is how far the probability of the heaviest patient with the label, and of "
        "the thinnest, lies above the mean of all test scans, relative to it; beside it that "
        "of the paper's two patients.",
        chests.told,
    ]
    if patients:
        _draw(out / "fig14", nets, cases, label, patients, tests, np.array(fat))
        notes.append(where_drawn("fig14"))
    else:
        notes.append(f"Not drawn: fewer than two test scans have {label}.")
    return Table("fig14", f"What fat has to do with {readable(label)}", rows, tuple(notes))


def _case(
    data: Path, out: Path, scale: StudySize, jobs: int, on_progress: OnProgress
) -> tuple[Study, str]:
    """The study, and the label that fat may stand in for."""
    chests = study(data, out, scale, jobs=jobs, on_progress=on_progress)
    if chests.of_paper:
        return chests, PAPER_LABEL
    folder = data / f"{scale.chests}-chests-with-fat"
    planted = with_fat(
        chests, folder, scale, SIMULATED_LABEL, STRENGTH, jobs=jobs, on_progress=on_progress
    )
    return planted, SIMULATED_LABEL


def _patients(test: Outcomes, label: str, fat: Fat) -> dict[str, int]:
    """Number of the heaviest and of the thinnest with the label; none if there are not two."""
    present = np.flatnonzero(test.truth[:, test.labels.index(label)] == 1)
    by_fat = present[np.argsort(fat[present])]
    return {"heavy": int(by_fat[-1]), "thin": int(by_fat[0])} if len(by_fat) > 1 else {}


def _row(name: str, test: Outcomes, label: str, fat: Fat, patients: Mapping[str, int]) -> Row:
    column = test.labels.index(label)
    truth, logits = test.truth[:, column], test.logits[:, column].astype(float)
    known = ~np.isnan(truth)
    row: Row = {
        "trained with": name,
        "auroc": auroc(truth[known] == 1, logits[known]),
        "fat_and_score_without_label": _correlation(fat[truth == 0], logits[truth == 0]),
        "fat_and_score_with_label": _correlation(fat[truth == 1], logits[truth == 1]),
    }
    probabilities = test.probabilities[:, column]
    for who in ("heavy", "thin"):
        probability = probabilities[patients[who]] if patients else np.nan
        row |= {
            f"{who}_probability": float(probability),
            f"{who}_over_mean": float(probability / probabilities.mean() - 1),
            f"{who}_over_mean_paper": PAPER[name][who],
        }
    return row


def _correlation(fat: Fat, scores: Float[np.ndarray, "scan"]) -> float:
    if len(fat) < FEWEST or np.ptp(fat) == 0 or np.ptp(scores) == 0:
        return np.nan
    return float(spearmanr(fat, scores).statistic)


def _draw(
    path: Path,
    nets: Mapping[str, AxialNet],
    cases: Sequence[Case],
    label: str,
    patients: Mapping[str, int],
    tests: Mapping[str, Outcomes],
    fat: Fat,
) -> None:
    """The maps of both networks for both patients, and below every score against fat."""
    panel_mm = TWO_COLUMNS_MM / 4.35
    heights_mm = [2 * (panel_mm * HEIGHT_OF_WIDTH + 3) + 4, 50]
    with printed(path, width_mm=TWO_COLUMNS_MM, height_mm=sum(heights_mm)) as figure:
        above, below = figure.subfigures(2, 1, height_ratios=heights_mm, squeeze=False).flat
        _draw_maps(above, nets, cases, label, patients, fat)
        charts = below.subplots(1, 2, sharex=True)
        for number, (axes, (name, test)) in enumerate(zip(charts, tests.items(), strict=True)):
            _draw_scores(axes, test, label, fat)
            axes.set_title(headed(number + 4, name))
        charts[0].set_ylabel(f"score of {readable(label)}")
        below.legend(*charts[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)


def _draw_maps(
    figure: FigureBase,
    nets: Mapping[str, AxialNet],
    cases: Sequence[Case],
    label: str,
    patients: Mapping[str, int],
    fat: Fat,
) -> None:
    grid = panels(figure, 2, 4)
    for row, (who, patient) in enumerate(patients.items()):
        mapped = [map_scan(net.model, cases[patient]) for net in nets.values()]
        at = mapped[-1].strongest_slice(label)
        for side, (loss, seen) in enumerate(zip(nets, mapped, strict=True)):
            probability = seen.explanations["hirescam"].probabilities[label]
            told = f"{who}, {fat[patient]:.0%} fat: {loss}, p = {probability:.2f}"
            grid[row, 2 * side].set_title(headed(2 * row + side, told))
            for place, (method, name) in enumerate(METHOD_NAMES.items()):
                panel = grid[row, 2 * side + place]
                seen.draw(panel, label, method=method, at=at)
                note(panel, name)
    colour_bar(figure, grid[:, -1], aspect=30, shrink=0.5)


def _draw_scores(axes: Axes, test: Outcomes, label: str, fat: Fat) -> None:
    column = test.labels.index(label)
    for value, name, colour, marker in (
        (1, "present", "#D55E00", "o"),
        (0, "absent", "#0072B2", "s"),
    ):
        own = test.truth[:, column] == value
        axes.plot(
            100 * fat[own],
            test.logits[own, column],
            marker,
            color=colour,
            markersize=2.8,
            alpha=0.8,
            markeredgewidth=0,
            label=name,
        )
    axes.set_xlabel("fat in the body (%)")
