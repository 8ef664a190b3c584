"""Rendering: a person with findings and shortcuts as a scanner shows them, block by block."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int16

from hirescam.anatomy import ORGANS
from hirescam.ct.volume import AIR_HU
from hirescam.simulation import stream
from hirescam.simulation.findings.kinds import Chest, Lesion
from hirescam.simulation.painting import (
    BLOOD,
    Canvas,
    blank,
    healthy,
    lung_tissue,
    mask,
    paint,
    trace,
)
from hirescam.simulation.shapes import Grid, Number, Shape, remembered
from hirescam.simulation.shortcuts import Shortcut
from hirescam.simulation.trunk import APEX_MM, Physique, body

Plane = Float32[np.ndarray, "row column"]


def noise(
    shape: tuple[int, int, int], sd_hu: Number, random: np.random.Generator
) -> Iterator[Plane]:
    """Noise slice by slice, correlated between neighbours in all directions."""
    slices, rows, columns = shape
    size = (rows + 1, columns + 1)
    before = random.standard_normal(size, np.float32)
    for _ in range(slices):
        white = random.standard_normal(size, np.float32)
        plane = before + white
        plane = plane[1:] + plane[:-1]
        plane = plane[:, 1:] + plane[:, :-1]
        yield plane * np.float32(sd_hu / np.sqrt(8))
        before = white


def reconstruct(plane: Plane, sharpness: Number) -> Plane:
    """A slice through a smooth (−1) to sharp (1) kernel; it scales noise by 0.7 to 1.3."""
    side = np.float32(-0.12 * sharpness)
    for axis in (plane, plane.T):
        edges = side * np.diff(axis, axis=0)
        axis[:-1] += edges
        axis[1:] -= edges
    return plane


Mask = Bool[np.ndarray, "slice row column"]

_BLOCK_VOXELS = 400_000  # drawn at a time, to stay in the processor's cache


@dataclass(frozen=True, eq=False)
class Scene:
    """All that is drawn of one person; `labels` names what each lesion is the mask of."""

    chest: Chest
    lesions: Mapping[str, Lesion]
    labels: Mapping[str, Sequence[str]]
    shortcuts: Mapping[str, Shortcut]


@dataclass(frozen=True, eq=False)
class Drawn:
    """Voxels in HU, and which of them belong to what."""

    voxels: Int16[np.ndarray, "slice row column"]
    masks: dict[str, Mask]
    organs: dict[str, Mask]
    shortcut_masks: dict[str, Mask]


def field_of_view(
    person: Physique, spacing_mm: tuple[Number, Number, Number]
) -> tuple[Float64[np.ndarray, "4 4"], tuple[int, int, int]]:
    """Square slices around the body, from above the lungs to below them."""
    outline = body(person)
    wide = float(np.clip(outline.high[0] - outline.low[0] + 44, 340, 400))
    head = APEX_MM * person.tall + person.head_margin_mm
    feet = (person.right_dome_mm - 68) * person.tall - person.feet_margin_mm
    middle = float(outline.low[1] + outline.high[1]) / 2 - 14 + person.off_front_mm
    slices, rows, columns = (
        round(length / step)
        for length, step in zip((head - feet, wide, wide), spacing_mm, strict=True)
    )
    along_slice, along_row, along_column = spacing_mm
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = (
        -along_slice,
        -along_row,
        -along_column,
        1,
    )
    affine[:3, 3] = (
        along_column * (columns - 1) / 2 + person.off_right_mm,
        middle + along_row * (rows - 1) / 2,
        (head + feet) / 2 + along_slice * (slices - 1) / 2,
    )
    return affine, (slices, rows, columns)


def render(seed: int, scene: Scene, grid: Grid) -> Drawn:
    """Voxels and masks; no more memory than they need themselves."""
    person = scene.chest.person
    layers = [*healthy(person, scene.chest.organs)]
    structures = _structures(scene)
    cheats = {name: remembered(each.shape(person)) for name, each in scene.shortcuts.items()}
    named = {label for labels in scene.labels.values() for label in labels}
    drawn = Drawn(
        np.empty(grid.shape, np.int16),
        {label: np.zeros(grid.shape, bool) for label in sorted(named)},
        {organ: np.zeros(grid.shape, bool) for organ in (*ORGANS, *structures)},
        {name: np.zeros(grid.shape, bool) for name in cheats},
    )
    slices = noise(grid.shape, person.noise_hu, stream(seed, "noise"))
    for block in blocks(grid):
        here = grid.part(block, slice(0, None), slice(0, None))
        canvas = blank(here, float(AIR_HU))
        for shape, tissue in layers:
            paint(canvas, shape, tissue)
        _draw_lungs(canvas, scene.chest, block, drawn.organs)
        for name, shape in structures.items():
            drawn.organs[name][block] = mask(here, shape)
        for finding, lesion in scene.lesions.items():
            paint(canvas, lesion.shape, lesion.tissue, lesion.mix)
            voxels = mask(here, lesion.shape)
            for label in scene.labels[finding]:
                drawn.masks[label][block] |= voxels
        for name, shape in cheats.items():
            if (hu := scene.shortcuts[name].hu) is not None:
                paint(canvas, shape, hu)
            drawn.shortcut_masks[name][block] = mask(here, shape)
        for plane in canvas.hu:
            plane += next(slices)
            reconstruct(plane, person.sharpness)
        drawn.voxels[block] = np.clip(np.rint(canvas.hu, out=canvas.hu), -1024, 3071)
    for finding, lesion in scene.lesions.items():
        for label in scene.labels[finding]:
            if not drawn.masks[label].any():
                drawn.masks[label][_nearest(grid, lesion.shape)] = True
    return drawn


def _nearest(grid: Grid, shape: Shape) -> tuple[int, ...]:
    """The voxel that is deepest in a shape, which may be smaller than it."""
    margin = np.array(grid.step_mm[::-1])
    index, near = grid.within(shape.low - margin, shape.high + margin)
    deepest = np.unravel_index(int(np.argmin(shape.distance(near))), near.shape)
    starts = [part.start for part in index if isinstance(part, slice)]
    return tuple(start + int(at) for start, at in zip(starts, deepest, strict=True))


def _structures(scene: Scene) -> dict[str, Shape]:
    organs = scene.chest.organs
    return {"heart": organs.heart, "aorta": organs.aorta, "airways": organs.airways}


def _draw_lungs(canvas: Canvas, chest: Chest, block: slice, organs: dict[str, Mask]) -> None:
    spaces = np.zeros(canvas.grid.shape, bool)
    for side, lung in chest.organs.lungs.items():
        space = mask(canvas.grid, lung)
        spaces |= space
        if side in chest.sides:
            paint(canvas, lung, lung_tissue(chest.person))
            vessels, bronchi = chest.branches[side]
            trace(canvas, vessels, BLOOD, lung)
            trace(canvas, bronchi, float(AIR_HU), lung)
            organs[f"{side}_lung"][block] = space
    organs["mediastinum"][block] = mask(canvas.grid, chest.organs.room) & ~spaces


def blocks(grid: Grid) -> list[slice]:
    """Slabs of a grid that are small enough to be fast."""
    slices, rows, columns = grid.shape
    step = max(1, _BLOCK_VOXELS // (rows * columns))
    return [slice(start, min(start + step, slices)) for start in range(0, slices, step)]
