"""segment_organs: lungs and mediastinum of a chest CT, each with a verdict on its mask."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy import ndimage

from hirescam.ct.volume import Volume
from hirescam.errors import TargetError
from hirescam.organs.disease import dense_disease
from hirescam.organs.lungs import (
    airways,
    body,
    enclosed_air,
    free_air_hu,
    gas_pockets,
    grown,
    largest,
    lung_pieces,
    roll_deg,
)
from hirescam.organs.masks import (
    ORGANS,
    Box,
    Observer,
    OrganMasks,
    box_from_reading_order,
    from_reading_order,
    heuristic_boxes,
)
from hirescam.organs.mediastinum import mediastinum
from hirescam.organs.morphology import REACH, closed
from hirescam.organs.published import published, published_as_printed
from hirescam.organs.quality import judged_on_scan, measure, more_doubts, verdicts
from hirescam.organs.sides import give_to_nearer_lung, midplane, sides
from hirescam.organs.work_grid import Mask, WorkGrid, drawn_on_scan, work_grid


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
        codes = give_to_nearer_lung(codes, ill)
        near = grown(ndimage.find_objects(ill.astype(np.uint8))[0], REACH, ill.shape)
        codes[near] = closed(codes[near], tubes[near])
    see("lungs", codes > 0)
    codes[mediastinum(hu, codes, trunk | tubes, middle)] = ORGANS.index("mediastinum") + 1
    found = OrganMasks(
        from_reading_order(drawn_on_scan(grid, codes, tubes), volume.affine),
        volume.affine,
        method="robust",
    )
    judged = verdicts(measure(hu, codes, trunk, grid.seen, middle, found.volumes_ml))
    doubts = more_doubts(hu, codes, trunk, air, tubes, middle)
    judged = {
        organ: verdict
        if verdict.heuristic
        else replace(verdict, reasons=(*verdict.reasons, *doubts[organ]))
        for organ, verdict in judged.items()
    }
    usual = _usual_boxes(trunk, middle if lungs.any() else None)
    return replace(
        found,
        verdicts=judged,
        boxes={
            organ: box_from_reading_order(
                grid.box_on_scan(usual[organ]), grid.scan.shape, volume.affine
            )
            for organ, verdict in judged.items()
            if verdict.heuristic
        },
    )


def _upright(volume: Volume) -> tuple[WorkGrid, Mask, Mask]:
    """The grid on which the patient lies straight, with the body and the air in it."""
    grid, trunk, air = _seen(work_grid(volume))
    turn = roll_deg(trunk, air, grid.seen)
    return _seen(work_grid(volume, roll_deg=turn)) if turn else (grid, trunk, air)


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


METHODS: dict[str, Callable[..., OrganMasks]] = {
    "robust": robust,
    "published": published,
    "published-as-printed": published_as_printed,
}


def segment_organs(
    volume: Volume, method: str = "robust", *, observe: Observer | None = None
) -> OrganMasks:
    """Right lung, left lung and mediastinum of a chest CT, each with a verdict on its mask.

    No learned weights, no annotation. `observe` is given each step's name and mask as it is
    made. A scan without a chest is no error: its verdicts say what is wrong.

    Raises `TargetError` for an unknown method.
    """
    if method not in METHODS:
        raise TargetError(f"no method is called {method!r}: choose one of {', '.join(METHODS)}")
    masks = METHODS[method](volume, observe=observe)
    return masks if method == "robust" else judged_on_scan(volume, masks)
