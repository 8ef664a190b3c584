"""NPZ: the published layout of RAD-ChestCT."""

import zipfile

import numpy as np
import pytest

from hirescam import errors
from hirescam.ct.reading import read_volume


def test_slices_lead_to_the_feet_rows_to_the_back_columns_to_the_left(tmp_path):
    voxels = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    np.savez_compressed(tmp_path / "trn00001.npz", ct=voxels)
    scan = read_volume(tmp_path / "trn00001.npz")
    assert scan.orientation == "IPL"
    assert np.allclose(scan.spacing_mm, 0.8)
    assert np.array_equal(scan.voxels, voxels)
    left_back_feet = scan.affine[:3, :3] @ [1, 1, 1]
    assert np.allclose(left_back_feet, -0.8)  # RAS counts to the right, front and head


def test_another_key_is_refused(tmp_path, refused):
    np.savez(tmp_path / "scan.npz", image=np.zeros((2, 3, 4)), mask=np.zeros(1))
    refused(tmp_path / "scan.npz", errors.ReadError, "2 arrays", "named 'ct'")


def test_an_archive_without_arrays_is_refused(tmp_path, refused):
    np.savez(tmp_path / "scan.npz")
    refused(tmp_path / "scan.npz", errors.ReadError, "0 arrays", "none of them named 'ct'")


class Trap:
    def __reduce__(self):
        return pytest.fail, ("code from the file has run",)


def test_a_pickle_is_refused_and_does_not_run(tmp_path, refused):
    np.savez(tmp_path / "scan.npz", ct=np.array([Trap()], dtype=object))
    refused(tmp_path / "scan.npz", errors.ReadError, "Python objects", "never loaded")


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


def test_a_sidecar_tells_of_another_grid(tmp_path):
    np.savez(tmp_path / "scan.npz", ct=np.zeros((2, 3, 4), np.int16))
    (tmp_path / "scan.json").write_text('{"spacing_mm": [5, 1, 1], "orientation": "SPL"}')
    scan = read_volume(tmp_path / "scan.npz")
    assert (scan.spacing_mm, scan.orientation) == ((5, 1, 1), "SPL")


@pytest.mark.parametrize(
    "voxels",
    [
        np.full((2, 3, 4), 1001, np.int16),
        np.full((2, 3, 4), -1024, np.int16),
        np.ones((2, 3, 4)),
    ],
    ids=["above 1000", "below −1000", "float64"],
)
def test_what_rad_chestct_cannot_hold_has_no_known_place(voxels, tmp_path, refused):
    np.savez(tmp_path / "scan.npz", ct=voxels)
    said = "int16 from -1000 to 1000", "write scan.json beside it", '"orientation": "IPL"'
    refused(tmp_path / "scan.npz", errors.GeometryError, str(voxels.dtype), *said)


def test_what_would_inflate_as_no_scan_does_is_refused_before_memory_is_taken(
    tmp_path, refused
):
    path = tmp_path / "scan.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("ct.npy", "w") as member,
    ):
        header = {"descr": "<i2", "fortran_order": False, "shape": (100, 1024, 1024)}
        np.lib.format.write_array_header_1_0(member, header)
        for _ in range(100):
            member.write(bytes(2 << 20))
    assert path.stat().st_size < 1 << 20
    refused(path, errors.ReadError, "announces 209715", "200 times as much")
