"""Real series: voxel for voxel, and place for place, what other readers make of them."""

import fnmatch
import importlib.util
import shutil
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import data, dcmread

from hirescam.ct.reading import read_volume
from hirescam.ct.volume import reorient
from hirescam.errors import ReadError
from make import REPO, shared_data
from make_dicom import zipped

SERIES = ["fuzun", "cip64/dicom", "abdomen/dicom", "ibsi/dicom/image"]


@pytest.mark.parametrize("name", SERIES)
def test_simpleitk_reads_the_same(name):
    path = shared_data("ct", name)
    image = sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(path)))
    scan = read_volume(path)
    assert np.array_equal(scan.voxels, sitk.GetArrayViewFromImage(image))
    for index in ((0, 0, 0), tuple(n - 1 for n in scan.shape), (3, 20, 7)):
        left, back, head = image.TransformIndexToPhysicalPoint([int(i) for i in index[::-1]])
        place = scan.affine @ [*index, 1]
        np.testing.assert_allclose(place[:3], [-left, -back, head], atol=0.01)


@pytest.mark.skipif(not shutil.which("dcm2niix"), reason="dcm2niix is not installed")
@pytest.mark.parametrize("name", SERIES)
def test_dcm2niix_reads_the_same(name, tmp_path):
    path = shared_data("ct", name)
    command = ["dcm2niix", "-z", "n", "-b", "n", "-f", "scan", "-o", str(tmp_path), str(path)]
    subprocess.run(command, check=True, capture_output=True)
    (converted,) = tmp_path.glob("*.nii")
    scan, other = (reorient(read_volume(it), "SPR") for it in (path, converted))
    assert np.array_equal(scan.voxels, other.voxels)
    for index in ((0, 0, 0), tuple(n - 1 for n in scan.shape)):
        place, elsewhere = scan.affine @ [*index, 1], other.affine @ [*index, 1]
        np.testing.assert_allclose(place, elsewhere, atol=0.03)  # positions have 3 decimals


def test_a_zip_of_a_real_series_is_the_same_scan(tmp_path):
    folder = shared_data("ct", "cip64/dicom")
    shutil.copytree(folder, tmp_path / "scan")
    read, packed = read_volume(folder), read_volume(zipped(tmp_path / "scan"))
    assert np.array_equal(read.voxels, packed.voxels)
    assert np.array_equal(read.affine, packed.affine)


def test_a_folder_above_finds_the_scan_beside_structures_drawn_on_it():
    scan = read_volume(shared_data("ct", "ibsi/dicom"))
    assert np.array_equal(scan.voxels, read_volume(shared_data("ct/ibsi/dicom/image")).voxels)


def documented():
    """Each row of the documented table of pydicom's CT files: pattern, and what comes of it."""
    page = (REPO / "docs/how-to/dicom-folders.md").read_text(encoding="utf-8")
    table = page.split("| file | comes out |\n|---|---|\n")[1].split("\n\n")[0]
    return [tuple(cell.strip() for cell in row.split("|")[1:3]) for row in table.splitlines()]


def ct_files():
    """The CT files among pydicom's, and those of pydicom-data where it is installed."""
    roots = [Path(data.__file__).parent / "test_files"]
    if found := importlib.util.find_spec("data_store"):
        roots.append(Path(found.submodule_search_locations[0]) / "data")
    for root in roots:
        for path in sorted(path for path in root.rglob("*") if path.is_file()):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    header = dcmread(path, stop_before_pixels=True, force=True)
                    is_ct = header.get("Modality") == "CT"
                except Exception:
                    continue
            if is_ct and path.suffix != ".py":
                yield path.relative_to(root).as_posix(), path


CT_FILES = dict(ct_files())


def test_pydicom_comes_with_ct_files():
    assert len(CT_FILES) >= 60


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CT_FILES)
def test_a_file_of_pydicom_is_read_equal_or_refused_as_documented(name):
    outcomes = [said for pattern, said in documented() if fnmatch.fnmatch(name, pattern)]
    assert len(outcomes) == 1, "a row of the table in docs/how-to/dicom-folders.md"
    (said,) = outcomes
    if said.startswith("refused: "):
        with pytest.raises(ReadError, match=said.removeprefix("refused: ").split(" (")[0]):
            read_volume(CT_FILES[name], on_bad_geometry="repair")
        return
    (read,) = read_volume(CT_FILES[name], on_bad_geometry="repair").voxels
    header = dcmread(CT_FILES[name])
    stored = header.pixel_array.astype(float)
    hu = stored * float(header.RescaleSlope) + float(header.RescaleIntercept)
    padding = stored == header.get("PixelPaddingValue", np.nan)
    assert np.array_equal(read, np.where(padding, read, hu))
    assert (read[padding] == -1000).all()
