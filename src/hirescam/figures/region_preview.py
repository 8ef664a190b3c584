"""Regions on disk and in pictures: where organs lie on the map that a recipe trains with."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Shaped
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from hirescam.anatomy import ORGANS
from hirescam.atomic import atomic_write, claim_folder
from hirescam.ct.packed import read_packed
from hirescam.figures.organ_preview import COLOURS, INK, PAPER, WINDOW_HU
from hirescam.figures.output import write_png
from hirescam.regions.downsample import OrgansOnMap, read_organs_on_map
from hirescam.summary.colours import grey
from hirescam.training import assemble
from hirescam.training.config import TrainConfig
from hirescam.training.datasets.read import read_cases
from hirescam.training.prepared import Grid, OnProgress, prepare_all

_AXES = {"slice": 0, "row": 1, "column": 2}
_SHOWN = {"along the body": ("row", "slice", "column"), "across": ("slice", "row", "column")}
"""Of each picture: the axis that it cuts, the one that runs down, the one that runs right."""


def write_regions(
    config: TrainConfig,
    out: Path,
    *,
    previews: int = 0,
    jobs: int = 1,
    on_progress: OnProgress = lambda name, done, of: None,
) -> Path:
    """Write the regions of every scan that a config names, and previews of the first ones.

    In the folder `out`, <id>.npy holds the packed bits of `organ slice row column`,
    regions.json says of which organs, map and options, and <id>.png is a preview.
    """
    claim_folder(out, "regions", older=("regions.json",))
    cases = read_cases(config)
    grid = assemble.grid(config, assemble.randomly_initialised_model(config, cases))
    every = [case for of_split in cases.splits.values() for case in of_split]
    cache = config.cache or config.data.parent / "cache"
    files = prepare_all(
        every, grid, cache, with_organs=True, jobs=jobs, on_progress=on_progress
    )
    for number, (case, made) in enumerate(zip(every, files, strict=True)):
        assert made.organs is not None
        with atomic_write(out / f"{case.id}.npy") as file:
            file.write(made.organs.read_bytes())
        if number < previews:
            organs = read_organs_on_map(made.organs, grid.map_shape)
            figure = preview(read_packed(made.voxels), organs, grid)
            write_png(figure, out / f"{case.id}.png")
    with atomic_write(out / "regions.json") as file:
        file.write((json.dumps(_record(grid), indent=2) + "\n").encode())
    return out


def preview(
    voxels: Shaped[np.ndarray, "scan_slice scan_row scan_column"],
    organs: OrgansOnMap,
    grid: Grid,
) -> Figure:
    """The cells of each organ on two planes of the prepared scan, each cut where most lie."""
    figure = Figure(figsize=(11.0, 6.0), dpi=100, facecolor=PAPER, layout="constrained")
    for ax, (title, axes) in zip(figure.subplots(1, 2), _SHOWN.items(), strict=True):
        _draw(ax, voxels, organs, grid, *(_AXES[each] for each in axes))
        ax.set_title(title, color=INK, y=0.94)
    handles = [
        Patch(color=colour, label=organ.replace("_", " "))
        for organ, colour in zip(ORGANS, COLOURS, strict=False)
    ]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=3, labelcolor=INK, frameon=False
    )
    return figure


def _draw(
    ax: Axes,
    voxels: Shaped[np.ndarray, "scan_slice scan_row scan_column"],
    organs: OrgansOnMap,
    grid: Grid,
    cut: int,
    down: int,
    right: int,
) -> None:
    """One plane in grey, with a frame around every cell of every organ."""
    others = tuple(axis + 1 for axis in (down, right))
    index = int(organs.any(axis=0, keepdims=True).sum(axis=(0, *others)).argmax())
    cells, spacing_mm = grid.cells, grid.preparation.spacing_mm
    plane = np.take(voxels, round(cells[cut].centres[index]), axis=cut)
    shape_mm = spacing_mm[down] / spacing_mm[right]
    ax.imshow(grey(plane, WINDOW_HU), cmap="gray", aspect=shape_mm)
    height, width = cells[down].step, cells[right].step
    for number, (mask, colour) in enumerate(zip(organs, COLOURS, strict=False)):
        inset = 0.06 * number  # so that frames of organs that share a cell are all seen
        frames = [
            Rectangle(
                (
                    cells[right].centres[column] - width * (0.5 - inset),
                    cells[down].centres[row] - height * (0.5 - inset),
                ),
                width * (1 - 2 * inset),
                height * (1 - 2 * inset),
            )
            for row, column in np.argwhere(np.take(mask, index, axis=cut))
        ]
        ax.add_collection(
            PatchCollection(frames, facecolor=to_rgba(colour, 0.18), edgecolor=colour)
        )
    ax.set_axis_off()


def _record(grid: Grid) -> Mapping[str, object]:
    return {
        "organs": ORGANS,
        "map_shape": grid.map_shape,
        "downsampling": grid.downsampling,
        "fraction": grid.fraction,
        "dilated": grid.dilated,
        "preparation": grid.preparation.model_dump(mode="json"),
    }
