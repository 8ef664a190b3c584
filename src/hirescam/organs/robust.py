"""Robust segmentation: right lung, left lung and mediastinum by anatomy, in millimetres."""

from dataclasses import replace

import numpy as np
from scipy import ndimage

from hirescam.ct.volume import Volume
from hirescam.organs.airways import airways
from hirescam.organs.body import body, enclosed_air, largest
from hirescam.organs.closing import REACH, closed
from hirescam.organs.disease import dense_disease
from hirescam.organs.facing import box_on_scan_axes, on_scan_axes
from hirescam.organs.heuristic import heuristic_boxes
from hirescam.organs.lungs import free_air_hu, gas_pockets, grown, lung_pieces
from hirescam.organs.masks import ORGANS, Box, Observer, OrganMasks
from hirescam.organs.mediastinum import mediastinum
from hirescam.organs.painted import painted
from hirescam.organs.posture import turned_deg
from hirescam.organs.quality import measure, verdicts
from hirescam.organs.sides import beside, midplane, sides
from hirescam.organs.work_grid import Mask, WorkGrid, work_grid


def robust(volume: Volume, *, observe: Observer | None = None) -> OrganMasks:
    """Lungs and mediastinum of any chest CT, however it is turned, cropped or sampled.

    The lungs hold their vessels and what is dense in them. An organ that is not found gets the
    place that it has in most bodies, and a verdict that says so.
    """
    grid, trunk, air = _upright(volume)
    hu, see = grid.hu, observe or (lambda name, mask: None)
    see("body", trunk)
    see("air in the body", air)
    free_hu = free_air_hu(hu, air)
    tubes = airways(hu, air, largest(air), free_hu)
    see("airways", tubes)
    lungs = lung_pieces(hu, air & ~tubes, free_hu)
    gas = gas_pockets(hu, lungs, free_hu)
    if gas.any():
        lungs = lung_pieces(hu, lungs & ~gas, free_hu)
    see("aerated lungs", lungs)
    middle = midplane(hu, trunk, lungs, tubes)
    codes = closed(sides(hu, lungs, middle), tubes)
    ill = dense_disease(hu, codes, trunk, tubes, middle) & (codes == 0) & ~tubes
    if ill.any():
        see("dense disease", ill)
        codes = beside(codes, ill)
        near = grown(ndimage.find_objects(ill.astype(np.uint8))[0], REACH, ill.shape)
        codes[near] = closed(codes[near], tubes[near])
    see("lungs", codes > 0)
    codes[mediastinum(hu, codes, trunk | tubes, middle)] = ORGANS.index("mediastinum") + 1
    found = OrganMasks(
        on_scan_axes(painted(grid, codes, tubes), volume.affine), volume.affine, method="robust"
    )
    judged = verdicts(measure(hu, codes, trunk, grid.seen, middle, found.volumes_ml))
    usual = _usual_boxes(trunk, middle if lungs.any() else None)
    return replace(
        found,
        verdicts=judged,
        boxes={
            organ: box_on_scan_axes(
                grid.box_on_scan(usual[organ]), grid.scan.shape, volume.affine
            )
            for organ, verdict in judged.items()
            if verdict.heuristic
        },
    )


def _upright(volume: Volume) -> tuple[WorkGrid, Mask, Mask]:
    """The grid on which the patient lies straight, with the body and the air in it."""
    grid, trunk, air = _seen(work_grid(volume))
    turn = turned_deg(trunk, air, grid.seen)
    return _seen(work_grid(volume, turned_deg=turn)) if turn else (grid, trunk, air)


def _seen(grid: WorkGrid) -> tuple[WorkGrid, Mask, Mask]:
    trunk = body(grid.hu, grid.seen)
    return grid, trunk, enclosed_air(grid.hu, trunk, grid.seen)


def _usual_boxes(trunk: Mask, middle: float | None) -> dict[str, Box]:
    """Where organs lie in the body; in the whole grid if it shows no body."""
    inside = np.argwhere(trunk if trunk.any() else np.ones_like(trunk))
    down, back, left = (
        slice(int(first), int(last) + 1)
        for first, last in zip(inside.min(axis=0), inside.max(axis=0), strict=True)
    )
    midline = (left.start + left.stop) / 2 if middle is None else middle
    return heuristic_boxes((down, back, left), midline, (left.stop - left.start) / 6)
