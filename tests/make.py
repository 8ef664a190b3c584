"""Small scans for tests: no downloads, no patients, no global seeds."""

import os
from pathlib import Path

import numpy as np
import pytest

from hirescam.ct.volume import Volume

REPO = Path(__file__).parent.parent


def affine(*, spacing=(1.0, 1.0, 1.0), origin=(0.0, 0.0, 0.0), tilt_deg=0.0, flips=(1, 1, 1)):
    """Slices to the feet, rows to the back, columns to the left; flipped and tilted at will.

    `tilt_deg` turns the whole scan about the left-right and then the head-feet axis.
    """
    directions = np.array([[0, 0, -1.0], [0, -1.0, 0], [-1.0, 0, 0]])
    angle = np.deg2rad(tilt_deg)
    c, s = np.cos(angle), np.sin(angle)
    about_x = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    about_z = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    matrix = np.eye(4)
    matrix[:3, :3] = about_z @ about_x @ directions * np.array(spacing) * np.array(flips)
    matrix[:3, 3] = origin
    return matrix


def volume(shape=(12, 16, 16), *, seed=0, dtype=np.int16, **affine_options):
    """Noise between air and bone on a grid of the given affine."""
    voxels = np.random.default_rng(seed).integers(-1000, 800, shape).astype(dtype)
    return Volume(voxels, affine(**affine_options))


def shared_data(*parts):
    """A path among the real research data, or skip: it is never part of this repository."""
    root = Path(os.environ.get("HIRESCAM_DATA", REPO.parent / "shared" / "data"))
    path = root.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"real data absent: put {'/'.join(parts)} under $HIRESCAM_DATA")
    return path
