"""Figure 9: lungs of scans drawn by chance, and how often segmentation fails.

Draelos and Carin, arXiv:2011.08891, figure 9 and section 12: in 4 % of their scans one lung or
both were missed, so that a heuristic mask took their place. Here every one of these scans is
segmented by the published way and by ours; where organs are known, they are compared.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hirescam.anatomy import ORGANS
from hirescam.atomic import atomic_write
from hirescam.ct.reading import read_volume
from hirescam.ct.volume import reorient
from hirescam.evaluation.tables import Row
from hirescam.experiments.map_figures import organs_of, some_scans
from hirescam.experiments.study import StudySize, study
from hirescam.experiments.tables import Table
from hirescam.figures.output import TWO_COLUMNS_MM, printed, where_drawn
from hirescam.figures.render3d import lung_solid
from hirescam.organs.masks import Verdict
from hirescam.organs.segment import segment_organs
from hirescam.training.datasets.cases import Case
from hirescam.training.prepared import OnProgress

FULL, QUICK = StudySize(500, 30, (0,)), StudySize(120, 2, (0,), further=1)
METHODS = {"robust": "ours", "published": "published"}
PAPER_FAILED = {"published": 0.04}
SHOWN, ACROSS = 12, 6

Record = dict[str, Any]


def run(
    data: Path,
    out: Path,
    *,
    scale: StudySize = FULL,
    jobs: int = 1,
    on_progress: OnProgress = lambda name, done, of: None,
) -> Table:
    """Segment scans by either way, keep what was found, and draw some of it."""
    chests = study(data, out, scale, jobs=jobs, on_progress=on_progress)
    cases = [chests.cases["test"][number] for number in some_scans(len(chests.cases["test"]))]
    records = []
    for done, case in enumerate(cases, start=1):
        records.append(_record(case, chests.runs / "organs" / f"{case.id}.json"))
        on_progress("segmenting", done, len(cases))
    drawn = [cases[number] for number in some_scans(len(cases), SHOWN)]
    _draw(out / "fig9", drawn)
    notes = (
        f"{len(cases)} scans, {len(drawn)} of them drawn, all by chance. `failed` is the share "
        f"of scans in which a lung was missed, and `doubtful` that of scans in which any "
        f"organ's mask is not trusted; Dice against the organs that are known.",
        chests.told,
        where_drawn("fig9"),
    )
    rows = [_row(method, [record[method] for record in records]) for method in METHODS]
    return Table("fig9", "Segmentation of scans drawn by chance", rows, notes)


def _record(case: Case, path: Path) -> Record:
    """What either way found in one scan, kept at `path`."""
    if not path.exists():
        scan = read_volume(case.scan)
        known = organs_of(case, scan) if case.organs else None
        found = {}
        for method in METHODS:
            masks = segment_organs(scan, method)
            verdicts = {organ: masks.verdicts.get(organ, Verdict()) for organ in ORGANS}
            found[method] = {
                "missed": any(verdicts[organ].heuristic for organ in ORGANS[:2]),
                "doubtful": any(not verdict.trusted for verdict in verdicts.values()),
                "dice": {
                    organ: _dice(masks.mask(organ), known.mask(organ)) if known else None
                    for organ in ORGANS
                },
            }
        with atomic_write(path) as file:
            file.write(json.dumps(found).encode())
    record: Record = json.loads(path.read_text())
    return record


def _dice(found: np.ndarray, known: np.ndarray) -> float | None:
    both = int(found.sum()) + int(known.sum())
    return 2 * int((found & known).sum()) / both if both else None


def _row(method: str, found: Sequence[Mapping[str, Any]]) -> Row:
    return {
        "segmentation": METHODS[method],
        "scans": len(found),
        "failed": float(np.mean([each["missed"] for each in found])),
        "failed_paper": PAPER_FAILED.get(method, np.nan),
        "doubtful": float(np.mean([each["doubtful"] for each in found])),
        **{
            f"dice_{organ}": float(
                np.mean(
                    [
                        np.nan if each["dice"][organ] is None else each["dice"][organ]
                        for each in found
                    ]
                )
            )
            for organ in ORGANS
        },
    }


def _draw(path: Path, cases: Sequence[Case]) -> None:
    """Our lungs of each scan; a mask that was not found says so."""
    down = -(-len(cases) // ACROSS)
    side_mm = TWO_COLUMNS_MM / ACROSS
    with printed(path, width_mm=TWO_COLUMNS_MM, height_mm=down * (side_mm + 4)) as figure:
        grid = figure.subplots(down, ACROSS, squeeze=False).ravel()
        for axes in grid:
            axes.set_axis_off()
        for axes, case in zip(grid, cases, strict=False):
            scan = reorient(read_volume(case.scan))
            masks = segment_organs(scan)
            extent_mm = np.multiply(scan.shape, scan.spacing_mm)
            axes.imshow(lung_solid(masks, extent_mm), interpolation="lanczos")
            doubts = [organ for organ in ORGANS if not masks.verdicts[organ].trusted]
            litres = (masks.volumes_ml["right_lung"] + masks.volumes_ml["left_lung"]) / 1000
            axes.set_title(f"{litres:.1f} L" + (", in doubt" if doubts else ""))
