"""simulate: a chest CT with known anatomy, known findings and its report, from a seed."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int16

from hirescam.anatomy import LABELS, ORGANS
from hirescam.ct.volume import AIR_HU, Volume
from hirescam.errors import HirescamError
from hirescam.simulate.canvas import blank, mask, noise, paint, trace, voxel_grid
from hirescam.simulate.findings import FINDINGS, Chest, Lesion
from hirescam.simulate.organs import build_organs, lung_branches
from hirescam.simulate.physique import Physique, draw_physique
from hirescam.simulate.sentences import report
from hirescam.simulate.shapes import Grid, remembered
from hirescam.simulate.tissues import BLOOD, healthy, lung_tissue
from hirescam.simulate.trunk import APEX_MM, body

Mask = Bool[np.ndarray, "slice row column"]

SIMULATED_LABELS = tuple(label for label in LABELS if label in FINDINGS)
_BLOCK_VOXELS = 400_000  # drawn at a time, to stay in the processor's cache


@dataclass(frozen=True, eq=False)
class SimulatedChest:
    """A scan and the truth about it.

    `labels` says of every simulated label whether it is present; `masks` holds the voxels of
    those present, `sides` on which side the lung findings lie ("right", "left", "both").
    `organs` holds the lungs (with vessels, lesions and pleural fluid) and the mediastinum.
    """

    volume: Volume
    labels: dict[str, bool]
    masks: dict[str, Mask]
    organs: dict[str, Mask]
    sides: dict[str, str]
    report: str


def simulate(
    seed: int,
    *,
    findings: Collection[str] | None = None,
    spacing_mm: tuple[float, float, float] = (2.0, 1.5, 1.5),
    prevalence: float = 0.4,
) -> SimulatedChest:
    """A chest CT in orientation IPL with `findings`, or with each drawn at `prevalence`.

    The same seed gives the same bytes, and the same person whatever the findings: two calls
    that differ in one finding differ in the scan only where it lies.
    """
    if seed < 0 or min(spacing_mm) <= 0:
        raise HirescamError(
            f"cannot simulate seed {seed} at spacing {spacing_mm}: give a seed of 0 or more "
            f"and positive millimetres"
        )
    person = draw_physique(_random(seed, "person"))
    present = _drawn(seed, prevalence) if findings is None else _known(findings)
    chest = _lay_out(seed, person, present)
    lesions: dict[str, Lesion] = {}
    for label in present:
        place = FINDINGS[label].place
        lesion = place(chest, _random(seed, label), tuple(lesions.values()))
        lesions[label] = replace(lesion, shape=remembered(lesion.shape))
    affine, shape = _field_of_view(person, spacing_mm)
    drawn = _draw(seed, chest, lesions, voxel_grid(affine, shape))
    words = {label: lesion.words for label, lesion in lesions.items()}
    return SimulatedChest(
        volume=Volume(drawn.voxels, affine),
        labels={label: label in present for label in SIMULATED_LABELS},
        masks=drawn.masks,
        organs=drawn.organs,
        sides={label: lesion.side for label, lesion in lesions.items() if lesion.side},
        report=report(words, _random(seed, "report")),
    )


@dataclass(frozen=True, eq=False)
class _Drawn:
    voxels: Int16[np.ndarray, "slice row column"]
    masks: dict[str, Mask]
    organs: dict[str, Mask]


def _random(seed: int, purpose: str) -> np.random.Generator:
    """A stream for one purpose, so that no draw disturbs another."""
    return np.random.default_rng([seed, *purpose.encode()])


def _drawn(seed: int, prevalence: float) -> tuple[str, ...]:
    return tuple(
        label for label in FINDINGS if _random(seed, f"is there {label}").random() < prevalence
    )


def _known(findings: Collection[str]) -> tuple[str, ...]:
    unknown = set(findings) - set(SIMULATED_LABELS)
    if unknown:
        raise HirescamError(
            f"cannot simulate {', '.join(sorted(unknown))}: choose findings among "
            f"{', '.join(SIMULATED_LABELS)}"
        )
    return tuple(label for label in FINDINGS if label in findings)


def _lay_out(seed: int, person: Physique, present: tuple[str, ...]) -> Chest:
    """Organs as the findings leave them; branches as they grew before."""
    before = build_organs(person)
    branches = lung_branches(person, before.lungs, _random(seed, "branches"))
    changed = person
    for label in present:
        changed = FINDINGS[label].change(changed, _random(seed, f"change {label}"))
    return Chest(changed, before if changed == person else build_organs(changed), branches)


def _field_of_view(
    person: Physique, spacing_mm: tuple[float, float, float]
) -> tuple[Float64[np.ndarray, "4 4"], tuple[int, int, int]]:
    """Square slices around the body, from above the lungs to below them."""
    outline = body(person)
    wide = float(np.clip(outline.high[0] - outline.low[0] + 44, 340, 400))
    head = APEX_MM * person.tall + person.head_margin_mm
    feet = (person.right_dome_mm - 68) * person.tall - person.feet_margin_mm
    middle = float(outline.low[1] + outline.high[1]) / 2 - 14
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
        along_column * (columns - 1) / 2,
        middle + along_row * (rows - 1) / 2,
        (head + feet) / 2 + along_slice * (slices - 1) / 2,
    )
    return affine, (slices, rows, columns)


def _draw(seed: int, chest: Chest, lesions: dict[str, Lesion], grid: Grid) -> _Drawn:
    """Voxels and masks, block by block: no more memory than they need themselves."""
    layers = tuple(healthy(chest.person, chest.organs))
    drawn = _Drawn(
        np.empty(grid.shape, np.int16),
        {label: np.empty(grid.shape, bool) for label in lesions},
        {organ: np.empty(grid.shape, bool) for organ in ORGANS},
    )
    slices = noise(grid.shape, chest.person.noise_hu, _random(seed, "noise"))
    for block in _blocks(grid):
        here = grid.part(block, slice(0, None), slice(0, None))
        canvas = blank(here, float(AIR_HU))
        for shape, tissue in layers:
            paint(canvas, shape, tissue)
        lungs = np.zeros(here.shape, bool)
        for side, lung in chest.organs.lungs.items():
            paint(canvas, lung, lung_tissue(chest.person))
            vessels, bronchi = chest.branches[side]
            trace(canvas, vessels, BLOOD, lung)
            trace(canvas, bronchi, float(AIR_HU), lung)
            drawn.organs[f"{side}_lung"][block] = mask(here, lung)
            lungs |= drawn.organs[f"{side}_lung"][block]
        drawn.organs["mediastinum"][block] = mask(here, chest.organs.room) & ~lungs
        for label, lesion in lesions.items():
            paint(canvas, lesion.shape, lesion.tissue)
            drawn.masks[label][block] = mask(here, lesion.shape)
        for plane in canvas.hu:
            plane += next(slices)
        drawn.voxels[block] = np.clip(np.rint(canvas.hu, out=canvas.hu), -1024, 3071)
    return drawn


def _blocks(grid: Grid) -> list[slice]:
    slices, rows, columns = grid.shape
    step = max(1, _BLOCK_VOXELS // (rows * columns))
    return [slice(start, min(start + step, slices)) for start in range(0, slices, step)]
