"""Figure 8: how lungs are found, step by step, in three scans drawn by chance.

Draelos and Carin, arXiv:2011.08891, figure 8: the four steps of the published segmentation as
solids. The last column is ours, `segment_organs` as it stands.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from hirescam.ct.reading import read_volume
from hirescam.ct.volume import reorient
from hirescam.evaluation.tables import Row
from hirescam.experiments.map_figures import some_scans
from hirescam.experiments.study import StudySize, study
from hirescam.experiments.tables import Table
from hirescam.figures.output import TWO_COLUMNS_MM, headed, printed, where_drawn
from hirescam.figures.render3d import lung_solid, solid
from hirescam.organs.masks import Mask, keep_steps
from hirescam.organs.segment import segment_organs
from hirescam.training.datasets.cases import Case
from hirescam.training.prepared import OnProgress

FULL, QUICK = StudySize(500, 30, (0,)), StudySize(120, 2, (0,), further=1)
SHOWN = 3
OURS = "ours: lungs by side"
STEP_COLOUR = "#A9B8CC"

Picture = UInt8[np.ndarray, "pixel pixel 3"]


def run(
    data: Path,
    out: Path,
    *,
    scale: StudySize = FULL,
    jobs: int = 1,
    on_progress: OnProgress = lambda name, done, of: None,
) -> Table:
    """Segment the scans, measure what every step leaves, and draw it."""
    chests = study(data, out, scale, jobs=jobs, on_progress=on_progress)
    cases = [case for split in chests.cases.values() for case in split]
    chosen = [cases[number] for number in some_scans(len(cases), SHOWN)]
    rows: list[Row] = []
    pictures = []
    for done, case in enumerate(chosen, start=1):
        volumes_ml, drawn = _steps(case)
        rows += [
            {"scan": case.id, "step": step, "volume_ml": f"{volume_ml:,.0f}"}
            for step, volume_ml in volumes_ml.items()
        ]
        pictures.append(drawn)
        on_progress("segmenting", done, len(chosen))
    _draw(out / "fig8", pictures)
    notes = (
        f"{len(chosen)} of {len(cases)} scans, drawn by chance. The steps are those of the "
        f"published segmentation, with its sizes in millilitres. What fills the front of a "
        f"scan is cut open.",
        chests.told,
        where_drawn("fig8"),
    )
    return Table("fig8", "What each step of the segmentation leaves", rows, notes)


def _steps(case: Case) -> tuple[dict[str, float], dict[str, Picture]]:
    """Volume and picture of what each step leaves of one scan."""
    scan = reorient(read_volume(case.scan))
    steps: dict[str, Mask] = {}
    segment_organs(scan, "published", observe=keep_steps(steps))
    ours = segment_organs(scan)
    extent_mm = np.multiply(scan.shape, scan.spacing_mm)
    volumes_ml = {
        step: float(mask.mean() * extent_mm.prod()) / 1000 for step, mask in steps.items()
    }
    pictures = {step: solid(mask, extent_mm, [STEP_COLOUR]) for step, mask in steps.items()}
    volumes_ml[OURS] = ours.volumes_ml["right_lung"] + ours.volumes_ml["left_lung"]
    pictures[OURS] = lung_solid(ours, extent_mm)
    return volumes_ml, pictures


def _draw(path: Path, pictures: Sequence[Mapping[str, Picture]]) -> None:
    """A row for each scan, a column for each step."""
    across = len(pictures[0])
    side_mm = TWO_COLUMNS_MM / across
    height_mm = len(pictures) * side_mm + 5
    with printed(path, width_mm=TWO_COLUMNS_MM, height_mm=height_mm) as figure:
        grid = figure.subplots(len(pictures), across, squeeze=False)
        for row, drawn in zip(grid, pictures, strict=True):
            for axes, picture in zip(row, drawn.values(), strict=True):
                axes.imshow(picture, interpolation="lanczos")
                axes.set_axis_off()
        for number, (axes, step) in enumerate(zip(grid[0], pictures[0], strict=True)):
            axes.set_title(headed(number, step))
