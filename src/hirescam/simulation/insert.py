"""insert: a simulated finding in a real scan whose organs are known."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32
from scipy import ndimage

from hirescam.ct.volume import Volume, reorient
from hirescam.errors import HirescamError, ShapeError
from hirescam.organs.masks import OrganMasks
from hirescam.simulation import stream
from hirescam.simulation.findings.kinds import Chest
from hirescam.simulation.findings.table import FINDINGS
from hirescam.simulation.organs import Organs
from hirescam.simulation.painting import Canvas, mask, paint, voxel_grid
from hirescam.simulation.render import blocks, noise
from hirescam.simulation.report import Cell, cells, labels_of
from hirescam.simulation.shapes import Distance, Grid, Number, Points, Shape, ball, remembered
from hirescam.simulation.trunk import (
    APEX_MM,
    CAVITY_FRONT_MM,
    CAVITY_MM,
    SIDES,
    Physique,
    draw_physique,
)
from hirescam.simulation.tubes import tube

Mask = Bool[np.ndarray, "slice row column"]

_LEAST_LUNG_ML = 100.0
_LOWEST_MM = -193.0  # of the reference lungs, from the carina
_COARSE_MM = 2.0  # between samples of the distance to an organ
_NOWHERE = ball((0.0, 0.0, 1e6), 1.0)
_NO_TUBE = tube(np.array([(0.0, 0.0, 1e6), (0.0, 0.0, 1e6 + 1)]), 0.1)


def fitted_chest(
    organs: Mapping[str, Mask],
    spacing_mm: tuple[Number, Number, Number],
    random: np.random.Generator,
) -> tuple[Chest, Grid]:
    """A chest whose lungs are those of masks in orientation IPL, and the masks' voxels in it.

    Raises `HirescamError` if no lung of at least 100 mL is there.
    """
    voxel_ml = float(np.prod(spacing_mm)) / 1000
    there = tuple(
        side for side in SIDES if organs[f"{side}_lung"].sum() * voxel_ml >= _LEAST_LUNG_ML
    )
    if not there:
        raise HirescamError(
            f"the masks show no lung of at least {_LEAST_LUNG_ML:.0f} mL: segment the scan "
            f"again, or insert into another"
        )
    lungs = np.logical_or.reduce([organs[f"{side}_lung"] for side in there])
    low, high = _extent(lungs)
    size = (high - low) * spacing_mm
    half_width = CAVITY_MM[0] * (1 if len(there) == 2 else 0.5)
    person = replace(
        draw_physique(random),
        tall=float(size[0] / (APEX_MM - _LOWEST_MM)),
        deep=float(size[1] / (2 * CAVITY_MM[1])),
        wide=float(size[2] / (2 * half_width)),
        missing_lung="" if len(there) == 2 else next(s for s in SIDES if s not in there),
    )
    grid = _grid(person, low, spacing_mm, organs[f"{there[0]}_lung"].shape)
    shapes = {
        side: _sampled(organs[f"{side}_lung"], grid) if side in there else _NOWHERE
        for side in SIDES
    }
    cage = _sampled(lungs | organs["mediastinum"], grid, flat=True)
    return Chest(person, _lungs_only(shapes, cage), dict.fromkeys(SIDES, (_NO_TUBE,) * 2)), grid


def _extent(mask: Mask) -> tuple[np.ndarray, np.ndarray]:
    sides = [np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    return np.array([each[0] for each in sides]), np.array([each[-1] + 1 for each in sides])


def _grid(
    person: Physique,
    low: np.ndarray,
    spacing_mm: tuple[Number, Number, Number],
    shape: tuple[int, int, int],
) -> Grid:
    """Voxels placed so that the lungs begin where those of the person do."""
    right = 0.0 if person.missing_lung == "right" else CAVITY_MM[0] * person.wide
    front = CAVITY_FRONT_MM + CAVITY_MM[1] * person.deep
    first = np.array([APEX_MM * person.tall, front, right]) + low * spacing_mm
    affine = np.diag([0.0, 0.0, 0.0, 1.0])
    affine[2, 0], affine[1, 1], affine[0, 2] = (-step for step in spacing_mm)
    affine[:3, 3] = first[::-1]
    return voxel_grid(affine, shape)


def _sampled(mask: Mask, grid: Grid, *, flat: bool = False) -> Shape:
    """A mask as a shape; if `flat`, with distances within each slice."""
    every = [max(1, round(_COARSE_MM / step)) for step in grid.step_mm]
    coarse = mask[:: every[0], :: every[1], :: every[2]]
    step = [gap * many for gap, many in zip(grid.step_mm, every, strict=True)]
    if flat:
        depth = np.stack([_signed(plane, step[1:]) for plane in coarse])
    else:
        depth = _signed(coarse, step)

    def distance(points: Points) -> Distance:
        places = (
            (first - values) / gap
            for first, values, gap in zip(
                grid.first, (points.z, points.y, points.x), step, strict=True
            )
        )
        index = np.broadcast_arrays(*places)
        return ndimage.map_coordinates(depth, index, order=1, mode="nearest")

    low, high = _extent(mask) if mask.any() else (np.zeros(3), np.zeros(3))
    head = np.array(grid.first) - low * grid.step_mm
    feet = np.array(grid.first) - high * grid.step_mm
    return Shape(feet[::-1], head[::-1], distance)


def _signed(mask: Bool[np.ndarray, "..."], step: list[float]) -> Float32[np.ndarray, "..."]:
    """Distance to the surface, negative inside; far outside where nothing is inside."""
    if not mask.any():
        return np.full(mask.shape, 1000, np.float32)
    outside = ndimage.distance_transform_edt(~mask, step)
    inside = ndimage.distance_transform_edt(np.pad(mask, 1), step)
    inner = inside[(slice(1, -1),) * mask.ndim]
    half = min(step) / 2
    return np.where(mask, half - inner, outside - half).astype(np.float32)


def _lungs_only(lungs: dict[str, Shape], cage: Shape) -> Organs:
    return Organs(
        heart=_NOWHERE,
        aorta=_NOWHERE,
        veins=_NOWHERE,
        pulmonary=_NOWHERE,
        neck_arteries=_NOWHERE,
        oesophagus=_NOWHERE,
        airways=_NOWHERE,
        room=cage,
        cage=cage,
        lungs=lungs,
    )


INSERTABLE = tuple(label for label, each in FINDINGS.items() if each.needs_only_lungs)
_HIGHEST_HU = 1000.0  # of scans without metal that were not clipped lower


@dataclass(frozen=True, eq=False)
class Insertion:
    """A scan with a finding in it, and the truth about that finding."""

    volume: Volume
    mask: Bool[np.ndarray, "slice row column"]
    labels: tuple[str, ...]
    cells: frozenset[Cell]
    words: dict[str, str]


def insert(volume: Volume, masks: OrganMasks, finding: str, seed: int) -> Insertion:
    """A scan with one of `INSERTABLE` in its lungs; all other voxels stay as they are.

    Lobes are told by where fissures usually run, and an oblique scan is taken to lie straight.
    What is painted gets noise as strong as the scan's own.

    Raises `ShapeError` if the masks are of another grid, `HirescamError` if the finding needs
    more than lungs or the masks show none.
    """
    if finding not in INSERTABLE:
        raise HirescamError(
            f"cannot insert {finding}: a real scan can have {', '.join(INSERTABLE)}"
        )
    if masks.codes.shape != volume.shape:
        raise ShapeError(
            f"masks are {masks.codes.shape}, the scan is {volume.shape}: segment this scan"
        )
    scan = reorient(volume)
    codes = reorient(Volume(masks.codes.astype(np.int16), masks.affine)).voxels
    organs = {name: codes == number for number, name in enumerate(masks.organs, 1)}
    chest, grid = fitted_chest(organs, scan.spacing_mm, stream(seed, "person"))
    lesion = FINDINGS[finding].place(chest, stream(seed, finding), ())
    shape = remembered(lesion.shape)
    out, inside = scan.voxels.copy(), np.zeros(scan.shape, bool)
    grains = noise(scan.shape, _noise_hu(scan.voxels, codes > 0), stream(seed, "noise"))
    lowest, highest = scan.voxels.min(), max(_HIGHEST_HU, float(scan.voxels.max()))
    for block in blocks(grid):
        here = grid.part(block, slice(0, None), slice(0, None))
        before = scan.voxels[block].astype(np.float32)
        canvas = Canvas(here, before.copy())
        paint(canvas, shape, lesion.tissue, lesion.mix)
        changed = np.abs(canvas.hu - before) > 1
        painted = canvas.hu + np.stack([next(grains) for _ in before])
        painted = np.clip(painted, lowest, highest)
        if out.dtype == np.int16:
            painted = np.rint(painted)
        np.copyto(out[block], painted.astype(out.dtype), where=changed)
        inside[block] = mask(here, shape)
    if not inside.any():
        raise HirescamError(
            f"{finding} found no room in these lungs with seed {seed}: try another seed"
        )
    truth = cells(FINDINGS[finding], lesion)
    marked = reorient(Volume(inside.astype(np.int16), scan.affine), volume.orientation)
    placed = reorient(Volume(out, scan.affine), volume.orientation)
    return Insertion(
        volume=Volume(placed.voxels, volume.affine),
        mask=marked.voxels.astype(bool),
        labels=labels_of(truth),
        cells=truth,
        words=lesion.words,
    )


def _noise_hu(voxels: np.ndarray, inside: Bool[np.ndarray, "slice row column"]) -> float:
    """Noise of a scan, from how the most alike of neighbours differ within the organs."""
    steps = np.diff(voxels.astype(np.float32), axis=2)[inside[:, :, 1:]]
    small = float(np.quantile(np.abs(steps), 0.25)) if steps.size else 0.0
    return small / 0.3186  # the lower quartile of |d| for Gaussian d
