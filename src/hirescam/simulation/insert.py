"""insert: a simulated finding in a real scan whose organs are known."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from hirescam.ct.volume import Volume, reorient
from hirescam.errors import HirescamError, ShapeError
from hirescam.organs.masks import OrganMasks
from hirescam.simulation.canvas import Canvas, mask, paint
from hirescam.simulation.findings.table import FINDINGS
from hirescam.simulation.fitted import fitted_chest
from hirescam.simulation.render import blocks
from hirescam.simulation.scanner import noise
from hirescam.simulation.shapes import remembered
from hirescam.simulation.streams import stream
from hirescam.simulation.truth import Cell, cells, labels_of

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
