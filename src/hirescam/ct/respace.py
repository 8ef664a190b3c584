"""respace: a scan resampled to other spacings, with air where it did not reach."""

from dataclasses import replace

import numpy as np

from hirescam.ct.resample import INTERPOLATIONS, in_type_of, resample
from hirescam.ct.volume import AIR_HU, Volume


def respace(
    volume: Volume, spacing_mm: tuple[float, float, float], *, interpolation: str = "linear"
) -> Volume:
    """The scan with voxels `spacing_mm` apart along slices, rows and columns.

    The new grid covers the same box around the same centre, in whole voxels. Values beyond the
    old voxels are air. Coarser grids see a widened kernel with "linear" alone.
    """
    wanted_mm, had_mm = np.array(spacing_mm, float), np.array(volume.spacing_mm)
    step = wanted_mm / had_mm
    shape = np.maximum(1, np.rint(np.array(volume.shape) / step)).astype(int)
    first = (np.array(volume.shape) - 1) / 2 - step * (shape - 1) / 2
    weights = [
        INTERPOLATIONS[interpolation](start + each * np.arange(new), old)
        for start, each, new, old in zip(first, step, shape, volume.shape, strict=True)
    ]
    values = resample(volume.voxels, weights, outside=float(AIR_HU))
    moved = np.diag([*step, 1.0])
    moved[:3, 3] = first
    voxels = in_type_of(values, volume.voxels)
    return replace(volume, voxels=voxels, affine=volume.affine @ moved)
