"""Scan panel: an axial plane of the CT with a map over it, with scale and sides for print.

What is counted in pixels is a picture; the organs' outlines, the bar and the letters are lines
and text, sharp at any size.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import FigureBase
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from scipy import ndimage

from hirescam.ct.grid import onto
from hirescam.explanation import Explanation
from hirescam.organs.masks import OrganMasks
from hirescam.summary.colours import Scale, blend, window_hu
from hirescam.summary.pictures import VIEWS, Axis, Stage, build_stage, face_reader, painted

INK, PAPER = "#FFFFFF", "#000000"
SHOWN_MM = (264.0, 352.0)  # down and across: the widest of most chests
HEIGHT_OF_WIDTH = SHOWN_MM[0] / SHOWN_MM[1]
_AXIAL = VIEWS[0]
_EDGE = withStroke(linewidth=1.4, foreground=PAPER)
_BAR_CM = 5
_TO_DICOM = str.maketrans("SI", "HF")  # sides as scanners name them: head and feet
_LEAST_MM2 = 300.0  # of an organ's piece that is worth an outline
_TISSUE = 0.45  # the brightness on which the colour bar's colours lie


@dataclass(frozen=True, eq=False)
class Scene:
    """What panels of one scan share: the scan as the network saw it, and its organs."""

    stage: Stage
    organs: Mapping[str, Float[np.ndarray, "slice row column"]]


def scene(explanation: Explanation, organs: OrganMasks) -> Scene:
    """The scene of an explanation; `organs` lie on the grid of the scan that was explained.

    Every scan is placed on the same grid, so that panels of different scans have one scale.
    """
    placed = explanation.input_volume
    masks = {
        organ: face_reader(
            onto(
                organs.mask(organ).astype(np.float32),
                organs.affine,
                placed.shape,
                placed.affine,
            ),
            placed.affine,
        ).voxels
        for organ in organs.organs
    }
    return Scene(build_stage(placed, explanation.raw_maps.shape[1:], explanation.affine), masks)


def draw_map(
    axes: Axes,
    scene: Scene,
    explanation: Explanation,
    label: str,
    at: int,
    *,
    organs: Collection[str],
    shown_mm: tuple[float, float] = SHOWN_MM,
) -> None:
    """The axial plane through slice `at` of the map of `label`, counted from the head.

    Colours are scaled to this plane's largest value; `organs` have a white line around them.
    So much is shown around the middle, down and across.
    """
    values = face_reader(explanation.maps[label], explanation.affine).voxels
    limit = float(np.abs(values[at]).max()) or 1.0
    cell = (at, values.shape[1] // 2, values.shape[2] // 2)
    picture = painted(
        scene.stage, _AXIAL, values, cell, window=window_hu(label), scale=Scale(limit)
    )
    axes.imshow(picture, interpolation="lanczos")
    _outline(axes, scene, at, organs)
    _field(axes, scene.stage)
    _furnish(axes, scene.stage, shown_mm)


def note(axes: Axes, text: str) -> None:
    """A few words in the upper left corner of a plane."""
    _write(axes, 0.02, 0.97, text, ha="left", va="top")


def strongest_slice(explanation: Explanation, label: str) -> int:
    """The slice, from the head, that holds most of what raised the score."""
    values = face_reader(explanation.maps[label], explanation.affine).voxels
    return int(np.maximum(values, 0).sum(axis=(1, 2)).argmax())


def colour_bar(figure: FigureBase, axes: Collection[Axes], **options: Any) -> None:
    """One bar for maps that are each scaled to the largest value of their plane."""
    values = np.linspace(-1, 1, 256)
    colours = blend(np.full(256, _TISSUE), values, Scale(1.0)) / 255
    bar = figure.colorbar(
        ScalarMappable(Normalize(-1, 1), ListedColormap(colours)),
        ax=list(axes),
        **options,
    )
    bar.set_ticks([-1, 0, 1], labels=["lowered", "0", "raised"])
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)


def _outline(axes: Axes, scene: Scene, at: int, organs: Collection[str]) -> None:
    if not organs:
        return
    into, down, across = scene.stage.axes
    inside = np.max([scene.organs[organ][into.voxel(at)] for organ in organs], axis=0)
    pieces, _ = ndimage.label(inside > 0.5)
    large = np.bincount(pieces.ravel()) * scene.stage.scan.spacing_mm[1] ** 2 >= _LEAST_MM2
    large[0] = False
    inside = np.where(large[pieces] | (pieces == 0), inside, 0)
    if not inside.max() > 0.5 > inside.min():
        return
    axes.contour(
        _pixels(across),
        _pixels(down),
        inside,
        [0.5],
        colors=INK,
        linewidths=0.5,
        linestyles="solid",
    )


def _field(axes: Axes, stage: Stage) -> None:
    """A dotted line around what the map's cells cover."""
    (top, bottom), (left, right) = (
        np.flatnonzero(axis.field)[[0, -1]] for axis in stage.axes[1:]
    )
    axes.add_patch(
        Rectangle(
            (left, top),
            right - left,
            bottom - top,
            fill=False,
            edgecolor=INK,
            linewidth=0.4,
            linestyle=(0, (1, 2)),
        )
    )


def _furnish(axes: Axes, stage: Stage, shown_mm: tuple[float, float]) -> None:
    """The sides of the patient, and a bar of known length."""
    _, down, across = stage.axes
    height, width = (length / stage.pixel_mm for length in shown_mm)
    top, left = (down.pixels - height) / 2, (across.pixels - width) / 2
    axes.set_xlim(left, left + width)
    axes.set_ylim(top + height, top)
    axes.set_axis_off()
    for x, y, side, horizontal, vertical in (
        (0.5, 0.98, down.ends[0], "center", "top"),
        (0.5, 0.02, down.ends[1], "center", "bottom"),
        (0.015, 0.5, across.ends[0], "left", "center"),
        (0.985, 0.5, across.ends[1], "right", "center"),
    ):
        _write(axes, x, y, side.translate(_TO_DICOM), ha=horizontal, va=vertical)
    start, stop = 0.04, 0.04 + _BAR_CM * 10 / shown_mm[1]
    axes.plot(
        [start, stop],
        [0.06, 0.06],
        color=INK,
        linewidth=1.4,
        solid_capstyle="butt",
        transform=axes.transAxes,
        path_effects=[_EDGE],
    )
    _write(axes, start, 0.08, f"{_BAR_CM} cm", ha="left", va="bottom")


def _write(axes: Axes, x: float, y: float, text: str, **options: Any) -> None:
    axes.text(
        x,
        y,
        text,
        color=INK,
        fontsize=5.5,
        transform=axes.transAxes,
        path_effects=[_EDGE],
        **options,
    )


def _pixels(axis: Axis) -> Float[np.ndarray, "voxel"]:
    """Where each voxel's centre lies, in pixels."""
    return (np.arange(axis.voxels) + 0.5) * axis.pixels / axis.voxels - 0.5
