"""rectangular: a sheared scan, as by gantry tilt, resampled onto a grid with right angles."""

import itertools
from dataclasses import replace

import numpy as np
from jaxtyping import Float64
from scipy import ndimage

from hirescam.ct.angles import degrees_off, is_rectangular
from hirescam.ct.limits import announced_bytes
from hirescam.ct.volume import AIR_HU, Volume


def rectangular(volume: Volume) -> Volume:
    """The scan on a grid with right angles that holds all of it: linear in-plane, air outside.

    Columns keep their direction and slices their planes, so that a tilted gantry is undone by
    moving each slice within its own plane; nothing is interpolated between slices. `repairs`
    tells the angle and the new grid. A scan with right angles is returned as it is.
    """
    angle_deg = degrees_off(volume.affine)
    if is_rectangular(volume.affine):
        return volume
    affine, shape = _grid(volume)
    announced_bytes(shape, volume.voxels.itemsize)
    voxels = _moved(volume, np.linalg.inv(volume.affine) @ affine, shape)
    repaired = replace(volume, voxels=voxels, affine=affine)
    spacing = " × ".join(f"{spacing:.3g}" for spacing in repaired.spacing_mm)
    repair = (
        f"axes {angle_deg:.2f}° off right angles: slices moved within their planes by linear "
        f"interpolation, from {volume.shape} to {shape} voxels of {spacing} mm"
    )
    return replace(repaired, repairs=(*volume.repairs, repair))


def _grid(volume: Volume) -> tuple[Float64[np.ndarray, "4 4"], tuple[int, int, int]]:
    """A grid of the same planes with right angles, large enough for every voxel."""
    columns_first = volume.affine[:3, 2::-1]
    directions, lengths = np.linalg.qr(columns_first)
    affine = volume.affine.copy()
    affine[:3, 2::-1] = directions * np.diag(lengths)
    ends = itertools.product(*((0, length - 1) for length in volume.shape))
    corners = np.array([[*end, 1] for end in ends])
    reached = (np.linalg.inv(affine) @ volume.affine @ corners.T)[:3].round(6)
    first, last = np.floor(reached.min(axis=1)), np.ceil(reached.max(axis=1))
    affine[:3, 3] += affine[:3, :3] @ first
    slices, rows, columns = (int(count) for count in last - first + 1)
    return affine, (slices, rows, columns)


def _moved(
    volume: Volume, to_old: Float64[np.ndarray, "4 4"], shape: tuple[int, int, int]
) -> np.ndarray:
    """Each slice sampled within its own plane."""
    moved = np.empty(shape, volume.voxels.dtype)
    for index, plane in enumerate(volume.voxels):
        values = ndimage.affine_transform(
            plane,
            to_old[1:3, 1:3],
            offset=to_old[1:3] @ [index, 0, 0, 1],
            output_shape=shape[1:],
            output=np.float32,
            order=1,
            mode="grid-constant",
            cval=float(AIR_HU),
        )
        moved[index] = np.rint(values) if moved.dtype == np.int16 else values
    return moved
