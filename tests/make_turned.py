"""Scans of one patient that lie or are sampled otherwise, for tests and benchmarks."""

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from hirescam.ct.volume import Volume

LARGER = 1.2  # a turned grid, to hold all of the scan
NOISE_HU = 40.0


def on_turned_grid(volume, axis, angle_deg):
    """The same patient on a grid turned about x, y (front) or z (head), as its affine says."""
    shape = np.ceil(LARGER * np.array(volume.shape)).astype(int)
    onto = _turn(axis, angle_deg) @ volume.affine
    old, new = (np.append((np.array(each) - 1) / 2, 1) for each in (volume.shape, shape))
    onto[:3, 3] += (volume.affine @ old - onto @ new)[:3]
    step = np.linalg.inv(volume.affine) @ onto
    voxels = ndimage.affine_transform(
        volume.voxels, step[:3, :3], step[:3, 3], tuple(shape), order=1, cval=-1024
    )
    return Volume(voxels, onto)


def askew(volume, angle_deg):
    """A patient who lies turned about the long axis: the affine does not tell."""
    there = on_turned_grid(volume, "z", angle_deg)
    return Volume(there.voxels, np.linalg.inv(_turn("z", angle_deg)) @ there.affine)


def noisy(volume):
    """The scan with noise of `NOISE_HU`."""
    noise = np.random.default_rng(0).normal(0, NOISE_HU, volume.shape)
    return Volume((volume.voxels + noise).astype(np.int16), volume.affine)


def _turn(axis, angle_deg):
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler(axis, angle_deg, degrees=True).as_matrix()
    return turn
