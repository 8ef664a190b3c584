"""The whole way: a DICOM series in, maps on disk that lie where the marker is."""

import nibabel as nib
import numpy as np
import pytest

from hirescam import explain, read_volume, write_summary
from hirescam.ct.volume import Volume
from make import affine, shared_data
from make_dicom import PLANTED, write_series
from make_models import marker_model, small_model

MARKER = (40, 70, 60)
PLACES = {"axial": {}, "oblique": {"tilt_deg": 14}, "feet first": {"flips": (-1, -1, 1)}}


@pytest.fixture(scope="module", params=PLACES.values(), ids=PLACES)
def written(request, tmp_path_factory):
    """A series with a bright marker, explained; the scan, and the folder that was written."""
    folder = tmp_path_factory.mktemp("spine")
    voxels = np.full((80, 130, 120), -1000, np.int16)
    voxels[tuple(slice(index - 2, index + 3) for index in MARKER)] = 800
    grid = affine(spacing=(1.6, 1.5, 1.5), origin=(9, -200, 41), **request.param)
    scan = Volume(voxels, grid)
    write_series(folder / "series", scan)
    found = explain(marker_model(), read_volume(folder / "series"), any_values=True)
    return scan, write_summary(found, folder / "out", on_scan=True)


def peak_mm(file):
    image = nib.load(file)
    values = image.get_fdata()
    return image.affine[:3] @ [*np.unravel_index(values.argmax(), values.shape), 1]


@pytest.mark.parametrize("maps", ["maps", "maps_on_scan"])
def test_a_map_opened_beside_the_scan_peaks_within_a_cell_of_the_marker(written, maps):
    scan, folder = written
    marker = scan.affine[:3] @ [*MARKER, 1]
    cell_mm = 16
    off = peak_mm(folder / maps / "marker.nii.gz") - marker
    along_axes = np.linalg.inv(scan.affine[:3, :3] / scan.spacing_mm) @ off
    assert np.abs(along_axes).max() <= cell_mm


def test_nothing_that_was_written_names_the_patient(written):
    _, folder = written
    for file in folder.rglob("*"):
        if file.is_file():
            assert PLANTED.encode() not in file.read_bytes()


REAL = {
    "cip64 NIfTI": ("ct", "cip64", "ct.nii.gz"),
    "cip64 NRRD": ("ct", "cip64", "ct.nrrd"),
    "cip64 DICOM": ("ct", "cip64", "dicom"),
    "fuzun DICOM, 512×512": ("ct", "fuzun"),
    "imlab 1": ("ct", "imlab", "id001_ct.nii.gz"),
    "imlab 2": ("ct", "imlab", "id002_ct.nii.gz"),
}


@pytest.mark.parametrize("parts", REAL.values(), ids=REAL)
def test_a_real_scan_ends_with_a_readable_report(parts, tmp_path):
    found = explain(small_model(), read_volume(shared_data(*parts)))
    sums = found.raw_maps.sum((1, 2, 3)) + found.offsets
    np.testing.assert_allclose(sums, found.logits, rtol=1e-4)
    page = (write_summary(found, tmp_path / "out") / "report.html").read_text()
    assert all(label in page for label in found.labels)


def test_formats_of_one_scan_give_one_explanation():
    paths = [shared_data(*REAL[name]) for name in ("cip64 NIfTI", "cip64 NRRD", "cip64 DICOM")]
    first, *others = (explain(small_model(), read_volume(path)) for path in paths)
    for other in others:
        np.testing.assert_allclose(other.logits, first.logits, atol=2e-3)
        np.testing.assert_allclose(other.affine, first.affine, atol=2.01)  # a voxel of its grid
