"""Painted: organs of the work grid drawn on the scan's own voxels, lungs to their very edge."""

import numpy as np
from jaxtyping import UInt8
from scipy import ndimage

from hirescam.organs.body import AIR_HU
from hirescam.organs.work_grid import Codes, Mask, WorkGrid


def painted(grid: WorkGrid, codes: Codes, airways: Mask) -> UInt8[np.ndarray, "_ _ _"]:
    """Codes on the scan's voxels, in reading order.

    Inside and outside are decided on the work grid; within a step of a lung's edge, each voxel
    of the scan decides by itself whether it is air.
    """
    if_tissue, if_air = _choices(grid, codes, airways)
    if not grid.straight:
        tissue, air = grid.on_scan(if_tissue), grid.on_scan(if_air)
        np.copyto(tissue, air, where=grid.scan.voxels < AIR_HU)
        return tissue
    down, back, left = grid.places()
    out = np.empty(grid.scan.shape, np.uint8)
    drawn = -1
    for index, work in enumerate(down):
        if work != drawn:
            tissue, air = (choice[work][back][:, left] for choice in (if_tissue, if_air))
            drawn = work
        np.copyto(out[index], tissue)
        np.copyto(out[index], air, where=grid.scan.voxels[index] < AIR_HU)
    return out


def _choices(grid: WorkGrid, codes: Codes, airways: Mask) -> tuple[Codes, Codes]:
    """What each work voxel's part of the scan is where it is tissue, and where it is air."""
    if_tissue, if_air = codes.copy(), codes.copy()
    lungs = (codes == 1) | (codes == 2)
    outer = ndimage.binary_dilation(lungs) & ~lungs & ~airways
    inner = ndimage.binary_dilation(~lungs) & lungs & (grid.hu < AIR_HU)
    lung_codes = np.where(lungs, codes, 0)
    if_air[outer] = ndimage.maximum_filter(lung_codes, 3)[outer]
    beside = ndimage.maximum_filter(np.where(lungs, 0, codes), 3)
    if_tissue[inner] = beside[inner]
    return if_tissue, if_air
