"""NPY: the array's sidecar says where it lies, or the array is refused."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hirescam import errors
from hirescam.ct.reading import read_volume
from make import volume
from make_dicom import PLANTED
from make_geometries import geometries

PLACE = {"spacing_mm": [2.0, 0.7, 0.8], "orientation": "IPL"}


def write(path, voxels, sidecar=None):
    np.save(path, voxels)
    if sidecar is not None:
        path.with_suffix(".json").write_text(json.dumps(sidecar))
    return path


def noise(*shape):
    return np.random.default_rng(0).integers(-1000, 800, shape).astype(np.int16)


def test_spacing_and_orientation_place_the_voxels(tmp_path):
    voxels = noise(3, 4, 5)
    scan = read_volume(write(tmp_path / "scan.npy", voxels, PLACE | {"origin_mm": [1, 2, 3]}))
    assert np.array_equal(scan.voxels, voxels)
    assert (scan.orientation, scan.spacing_mm) == ("IPL", (2.0, 0.7, 0.8))
    np.testing.assert_allclose(scan.affine @ [1, 1, 1, 1], [1 - 0.8, 2 - 0.7, 3 - 2, 1])


@given(grid=geometries())
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_an_affine_places_the_voxels(grid, tmp_path):
    scan = volume(**grid)
    path = write(tmp_path / "scan.npy", scan.voxels, {"affine": scan.affine.tolist()})
    read = read_volume(path)
    assert np.array_equal(read.voxels, scan.voxels)
    assert np.array_equal(read.affine, scan.affine)


def test_stored_numbers_are_rescaled_as_the_sidecar_says(tmp_path):
    voxels = noise(3, 4, 5)
    scaling = {"rescale_slope": 1, "rescale_intercept": -1024}
    path = write(tmp_path / "scan.npy", (voxels + 1024).astype(np.uint16), PLACE | scaling)
    assert np.array_equal(read_volume(path).voxels, voxels)


def test_columns_first_in_memory_is_no_trap(tmp_path):
    voxels = np.asfortranarray(noise(3, 4, 5))
    assert np.array_equal(read_volume(write(tmp_path / "s.npy", voxels, PLACE)).voxels, voxels)


def test_without_a_sidecar_the_error_says_what_to_write(tmp_path, refused):
    path = write(tmp_path / "scan.npy", noise(3, 4, 5))
    example = '{"spacing_mm": [1.0, 0.7, 0.7], "orientation": "IPL"}'
    refused(path, errors.GeometryError, "write scan.json beside it", example, "to the feet")


@pytest.mark.parametrize(
    ("sidecar", "named"),
    [
        ({"spacing_mm": [1, 1], "orientation": "IPL"}, "spacing_mm"),
        ({"spacing_mm": [1, 1, 0], "orientation": "IPL"}, "spacing_mm"),
        ({"spacing_mm": [1, 1, float("nan")], "orientation": "IPL"}, "spacing_mm"),
        ({"spacing_mm": [1, 1, 1], "orientation": "XYZ"}, "orientation"),
        ({"spacing_mm": [1, 1, 1]}, "spacing_mm and orientation"),
        ({"affine": [[1, 0], [0, 1]]}, "affine"),
        (PLACE | {"affine": np.eye(4).tolist()}, "affine alone"),
        (PLACE | {PLANTED: PLANTED}, "what it says"),
        (PLACE | {"rescale_slope": PLANTED}, "rescale_slope"),
        ([PLANTED], "what it says"),
    ],
)
def test_a_wrong_sidecar_is_refused_by_the_name_of_its_field(sidecar, named, tmp_path, refused):
    path = write(tmp_path / "scan.npy", noise(3, 4, 5), sidecar)
    refused(path, errors.GeometryError, "scan.json beside it is wrong", named)


def test_an_orientation_with_one_axis_twice_is_refused(tmp_path, refused):
    path = write(tmp_path / "scan.npy", noise(3, 4, 5), PLACE | {"orientation": "LRA"})
    refused(path, errors.GeometryError, "'LRA'", "one letter each of L/R, A/P and I/S")


class Trap:
    def __reduce__(self):
        return pytest.fail, ("code from the file has run",)


def test_a_pickle_is_refused_and_does_not_run(tmp_path, refused):
    path = write(tmp_path / "scan.npy", np.array([Trap()], dtype=object), PLACE)
    refused(path, errors.ReadError, "Python objects", "never loaded")


@pytest.mark.parametrize("change", [-1, 1])
def test_a_byte_more_or_less_is_refused(change, tmp_path, refused):
    path = write(tmp_path / "scan.npy", noise(3, 4, 5), PLACE)
    content = path.read_bytes()
    path.write_bytes(content[:-1] if change < 0 else content + b"0")
    refused(path, errors.ReadError, f"holds {120 + change} bytes", "announces 120")


def test_a_claim_of_terabytes_is_refused_before_memory_is_taken(tmp_path, refused):
    path = write(tmp_path / "scan.npy", noise(3, 4, 5), PLACE)
    path.write_bytes(path.read_bytes().replace(b"(3, 4, 5)", b"(9999,9999,9999)"))
    refused(path, errors.VoxelError, "999700029999 voxels", "at most 2147483648")


@given(content=st.binary(max_size=200))
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_follows_the_magic_words_only_our_errors_come(content, tmp_path):
    path = write(tmp_path / "scan.npy", noise(3, 4, 5), PLACE)
    path.write_bytes(b"\x93NUMPY\x01\x00" + content)
    with pytest.raises(errors.ReadError):
        read_volume(path)
