"""NPZ: the published layout of RAD-ChestCT."""

import numpy as np
import pytest

from hirescam import errors
from hirescam.ct.files import read_volume


def test_slices_lead_to_the_feet_rows_to_the_back_columns_to_the_left(tmp_path):
    voxels = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    np.savez_compressed(tmp_path / "trn00001.npz", ct=voxels)
    scan = read_volume(tmp_path / "trn00001.npz")
    assert scan.orientation == "IPL"
    assert np.allclose(scan.spacing_mm, 0.8)
    assert np.array_equal(scan.voxels, voxels)
    left_back_feet = scan.affine[:3, :3] @ [1, 1, 1]
    assert np.allclose(left_back_feet, -0.8)  # RAS counts to the right, front and head


def test_another_key_is_refused_and_named(tmp_path, refused):
    np.savez(tmp_path / "scan.npz", image=np.zeros((2, 3, 4)), mask=np.zeros(1))
    refused(tmp_path / "scan.npz", errors.ReadError, "'image', 'mask'", "named 'ct'")


def test_an_archive_without_arrays_is_refused(tmp_path, refused):
    np.savez(tmp_path / "scan.npz")
    refused(tmp_path / "scan.npz", errors.ReadError, "no arrays", "named 'ct'")


class Trap:
    def __reduce__(self):
        return pytest.fail, ("code from the file has run",)


def test_a_pickle_is_refused_and_does_not_run(tmp_path, refused):
    np.savez(tmp_path / "scan.npz", ct=np.array([Trap()], dtype=object))
    refused(tmp_path / "scan.npz", errors.ReadError, "not what its name says")


def test_a_bare_array_is_refused(tmp_path, refused):
    with (tmp_path / "scan.npz").open("wb") as file:
        np.save(file, np.zeros((2, 3, 4), np.int16))
    refused(tmp_path / "scan.npz", errors.ReadError, "zip archive", "numpy.savez")


@pytest.mark.parametrize("shape", [(), (6,), (2, 3, 4, 2), (0, 3, 4)])
def test_anything_but_three_axes_is_refused(shape, tmp_path, refused):
    np.savez(tmp_path / "scan.npz", ct=np.zeros(shape, np.int16))
    refused(tmp_path / "scan.npz", errors.VoxelError, f"{len(shape)} axes {shape}")


def test_a_flipped_byte_is_refused(tmp_path, refused):
    path = tmp_path / "scan.npz"
    voxels = np.random.default_rng(0).integers(-1000, 800, (8, 8, 8)).astype(np.int16)
    np.savez(path, ct=voxels)
    damaged = bytearray(path.read_bytes())
    damaged[600] ^= 255
    path.write_bytes(damaged)
    refused(path, errors.ReadError, "damaged")
