"""evaluate: a model's outcomes on the scans of a data set, one forward pass for each."""

from collections.abc import Sequence
from pathlib import Path

import torch

from hirescam.ct.packed import read_packed
from hirescam.ct.prepare import windowed
from hirescam.errors import ReadError
from hirescam.evaluation.outcomes import Outcomes, joined, load_outcomes, outcome, save_outcomes
from hirescam.metrics.organ_iou import Definition
from hirescam.models.files import Model
from hirescam.regions.allowed import Regions
from hirescam.regions.downsample import Downsampling
from hirescam.regions.files import read_organs_on_map
from hirescam.training.datasets.cases import Case
from hirescam.training.prepared import Files, Grid, OnProgress, grid_of, prepare_all

EVERY = 50
"""Scans whose outcomes are written together; at most so many are made again after a stop."""


def evaluate(
    model: Model,
    cases: Sequence[Case],
    cache: Path,
    *,
    keep: Path | None = None,
    downsampling: Downsampling = "centre",
    definition: Definition = "paper",
    jobs: int = 1,
    on_progress: OnProgress = lambda name, done, of: None,
) -> Outcomes:
    """Scores, maps against allowed regions, and slice scores of every case.

    Prepared scans and regions are kept in `cache`; outcomes in the folder `keep`, if given,
    from which a stopped evaluation goes on. That folder is this model's and these options'
    alone. Raises `ReadError` for a scan that cannot be read, or a folder of other outcomes.
    """
    grid = grid_of(model, downsampling=downsampling)
    files = prepare_all(
        cases, grid, cache, with_organs=True, jobs=jobs, on_progress=on_progress
    )
    parts = []
    for start in range(0, len(cases), EVERY):
        some = slice(start, start + EVERY)
        parts.append(_some(model, cases[some], files[some], grid, definition, keep))
        on_progress("evaluating", min(start + EVERY, len(cases)), len(cases))
    return joined(parts)


def _some(
    model: Model,
    cases: Sequence[Case],
    files: Sequence[Files],
    grid: Grid,
    definition: Definition,
    keep: Path | None,
) -> Outcomes:
    """The outcomes of a few scans: kept ones, or else made and kept."""
    path = keep / f"{cases[0].id}-{len(cases)}.npz" if keep else None
    if path and path.exists():
        kept = load_outcomes(path)
        if (kept.scans, kept.labels) == (tuple(case.id for case in cases), model.labels):
            return kept
        raise ReadError(
            f"{path.parent.name} keeps outcomes of other scans or labels: give an empty folder"
        )
    made = joined(
        [
            _one(model, case, of_case, grid, definition)
            for case, of_case in zip(cases, files, strict=True)
        ]
    )
    if path:
        save_outcomes(made, path)
    return made


def _one(
    model: Model, case: Case, files: Files, grid: Grid, definition: Definition
) -> Outcomes:
    x = windowed(torch.from_numpy(read_packed(files.voxels)), grid.preparation)
    assert files.organs is not None, "prepared with organs"
    organs = read_organs_on_map(files.organs, grid.map_shape)
    regions = Regions(model.labels, case.labels == 1, case.places, organs)
    return outcome(model, case.id, x, case.labels, regions, definition=definition)
