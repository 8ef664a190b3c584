"""Organ preview: what was found and where, by which steps, and what is wrong.

Three planes with outlines, three projections with boxes, a solid picture of each step and of
the organs, and the verdicts: one look tells whether the masks can be used.
"""

from collections.abc import Mapping
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np
from jaxtyping import UInt8
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from scipy import ndimage

from hirescam.ct.volume import Volume
from hirescam.figures.output import write_png
from hirescam.figures.render3d import render
from hirescam.organs.masks import Mask, OrganMasks, Verdict, to_reading_order
from hirescam.summary.colours import grey
from hirescam.summary.pictures import VIEWS, Stage, View, build_stage

INK, SOFT, WARNING, PAPER = "#f2f2f2", "#a9afb8", "#ff9d7e", "#000000"
COLOURS = ("#2fbf8f", "#d68ab8", "#d9bd45", "#5fb0e8", "#e88a4f", "#b9a3f2", "#9ccc5a")
STEP_COLOUR = "#b8c4d4"
WINDOW_HU = (-1100.0, 350.0)  # lung and soft tissue in one picture
_BARS_MM = (100, 50, 20, 10, 5)
_ACROSS = 3  # pictures side by side
_EDGE = withStroke(linewidth=2.5, foreground=PAPER)


def write_preview(
    path: str | Path, scan: Volume, masks: OrganMasks, steps: Mapping[str, Mask] | None = None
) -> Path:
    """Write the preview as PNG; `WriteError` if the disk refuses."""
    write_png(preview(scan, masks, steps), Path(path))
    return Path(path)


def preview(scan: Volume, masks: OrganMasks, steps: Mapping[str, Mask] | None = None) -> Figure:
    """The preview of masks on the scan that they were found in; `steps` as `keep_steps` kept.

    Raises `GeometryError` if the masks' grid is turned against the scan's.
    """
    stage = build_stage(scan, masks.codes.shape, masks.affine)
    codes = to_reading_order(masks.codes, masks.affine)
    solids = _solids(stage, codes, masks.organs, steps or {})
    rows = 2 + -(-len(solids) // _ACROSS)
    lines = _verdict_lines(masks)
    head = 0.4 + 0.24 * len(lines)
    figure = Figure(figsize=(12.0, head + 4.0 * rows), dpi=100, facecolor=PAPER)
    top, below = figure.subfigures(2, 1, height_ratios=[head, 4.0 * rows], squeeze=False).flat
    _write_lines(top, lines)
    grid = below.subplots(
        rows,
        _ACROSS,
        squeeze=False,
        gridspec_kw={"left": 0.01, "right": 0.99, "bottom": 0.01, "top": 0.97, "wspace": 0.04},
    )
    for ax in grid.flat:
        ax.set_axis_off()
    for view, (plane, projection) in zip(VIEWS, grid[:2].T, strict=True):
        _draw_plane(plane, stage, codes, view)
        _draw_projection(projection, stage, masks, view)
    for ax, (name, picture) in zip(grid[2:].flat, solids.items(), strict=False):
        ax.imshow(picture)
        _title(ax, name if picture.any() else f"{name}: nothing")
    return figure


def _colour(code: int) -> str:
    return COLOURS[(code - 1) % len(COLOURS)]


def _verdict_lines(masks: OrganMasks) -> list[tuple[str, str, str]]:
    """Colour of the organ, what is said of it, and the colour in which it is said."""
    lines = [
        (PAPER, f"organs by method {masks.method} · for research, not for diagnosis", SOFT)
    ]
    volumes_ml = masks.volumes_ml
    for code, organ in enumerate(masks.organs, start=1):
        verdict = masks.verdicts.get(organ, Verdict())
        said = (
            "trusted"
            if verdict.trusted
            else "HEURISTIC: not found, put where it usually lies"
            if verdict.heuristic
            else "DOUBTFUL"
        )
        what = f"{organ.replace('_', ' ')}   {volumes_ml[organ]:,.0f} mL   {said}"
        lines.append((_colour(code), what, INK if verdict.trusted else WARNING))
        for reason in verdict.reasons:
            lines += [(PAPER, line, WARNING) for line in wrap(f"· {reason}", 120)]
    return lines


def _write_lines(figure: SubFigure, lines: list[tuple[str, str, str]]) -> None:
    for number, (mark, text, colour) in enumerate(lines):
        height = 1 - (number + 0.9) / (len(lines) + 0.8)
        figure.text(0.012, height, "■", color=mark, fontsize=13, va="center")
        figure.text(0.03, height, text, color=colour, fontsize=12, va="center")


def _draw_plane(
    ax: Axes, stage: Stage, codes: UInt8[np.ndarray, "down back left"], view: View
) -> None:
    """The plane through the middle of the organs, with their outlines."""
    filled = np.flatnonzero(codes.any(axis=(view.down, view.across)))
    at = int(np.median(filled)) if len(filled) else codes.shape[view.into] // 2
    scan = grey(stage.scan.voxels.take(at, axis=view.into), WINDOW_HU)
    ax.imshow(scan, cmap="gray", vmin=0, vmax=1, extent=_extent_mm(stage, view))
    plane = codes.take(at, axis=view.into)
    down, across = (
        (np.arange(stage.axes[axis].voxels) + 0.5) * stage.scan.spacing_mm[axis]
        for axis in (view.down, view.across)
    )
    for code in np.unique(plane[plane > 0]).tolist():
        if min(plane.shape) > 1:
            ax.contour(across, down, plane == code, [0.5], colors=_colour(code), linewidths=1.4)
    _furnish(ax, stage, view, f"{view.name}, {at * stage.scan.spacing_mm[view.into]:.0f} mm")


def _draw_projection(ax: Axes, stage: Stage, masks: OrganMasks, view: View) -> None:
    """How thick each organ is along the view, and its box."""
    shape = tuple(stage.scan.shape[axis] for axis in (view.down, view.across))
    picture = np.zeros((*shape, 3))
    down_mm, across_mm = (stage.scan.spacing_mm[axis] for axis in (view.down, view.across))
    for code, organ in enumerate(masks.organs, start=1):
        thick = to_reading_order(masks.mask(organ), masks.affine).sum(axis=view.into)
        if not thick.any():
            continue
        picture += 0.6 * thick[..., None] / thick.max() * np.array(to_rgb(_colour(code)))
        ((rows, columns),) = ndimage.find_objects((thick > 0).view(np.uint8))
        ax.add_patch(
            Rectangle(
                (columns.start * across_mm, rows.start * down_mm),
                (columns.stop - columns.start) * across_mm,
                (rows.stop - rows.start) * down_mm,
                fill=False,
                edgecolor=_colour(code),
                linewidth=1.4,
                linestyle="--" if organ in masks.boxes else "-",
            )
        )
    ax.imshow(picture.clip(0, 1), extent=_extent_mm(stage, view))
    _furnish(ax, stage, view, f"{view.name} projection, boxes")


def _solids(
    stage: Stage,
    codes: UInt8[np.ndarray, "down back left"],
    organs: tuple[str, ...],
    steps: Mapping[str, Mask],
) -> dict[str, UInt8[np.ndarray, "pixel pixel 3"]]:
    """Each step, cut open where it fills the front of the scan; then the organs."""
    slices, rows, columns = np.array(stage.scan.shape) * stage.scan.spacing_mm
    extent_mm = (float(slices), float(rows), float(columns))
    grey_only = np.array([to_rgb(STEP_COLOUR)])
    solids = {
        f"step {number}: {name}": render(
            step, extent_mm, grey_only, cut=bool(step[:, 0].mean() > 0.5)
        )
        for number, (name, step) in enumerate(steps.items(), start=1)
    }
    colours = np.array([to_rgb(_colour(code)) for code in range(1, len(organs) + 1)])
    outer = [code for code, organ in enumerate(organs, start=1) if organ != "mediastinum"]
    if len(outer) < len(organs):  # it may hide the lungs
        lungs = np.where(np.isin(codes, outer), codes, 0)
        solids["organs without mediastinum"] = render(lungs, extent_mm, colours)
    solids["organs"] = render(codes, extent_mm, colours)
    return solids


def _extent_mm(stage: Stage, view: View) -> tuple[float, float, float, float]:
    height, width = (
        stage.axes[axis].voxels * stage.scan.spacing_mm[axis]
        for axis in (view.down, view.across)
    )
    return 0.0, width, height, 0.0


def _furnish(ax: Axes, stage: Stage, view: View, title: str) -> None:
    """Sides of the patient, a bar of known length, and what the picture is."""
    down, across = stage.axes[view.down].ends, stage.axes[view.across].ends
    for x, y, side in (
        (0.5, 0.97, down[0]),
        (0.5, 0.03, down[1]),
        (0.03, 0.5, across[0]),
        (0.97, 0.5, across[1]),
    ):
        _write(ax, x, y, side, ha="center", va="center", transform=ax.transAxes)
    _, width, height, _ = _extent_mm(stage, view)
    bar = next((bar for bar in _BARS_MM if bar < 0.35 * width), _BARS_MM[-1])
    left, bottom = 0.04 * width, 0.94 * height
    ax.plot([left, left + bar], [bottom] * 2, color=INK, linewidth=2.5, path_effects=[_EDGE])
    _write(ax, left, 0.92 * height, f"{bar} mm", fontsize=9, va="bottom")
    _title(ax, title)


def _write(ax: Axes, x: float, y: float, text: str, **options: Any) -> None:
    """Legible on light and on dark."""
    ax.text(x, y, text, color=INK, path_effects=[_EDGE], **options)


def _title(ax: Axes, text: str) -> None:
    ax.set_title(text, color=INK, fontsize=11, loc="left", pad=3)
