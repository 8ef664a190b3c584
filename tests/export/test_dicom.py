"""DICOM objects of an explanation: valid, in their place, and of the patient's own study."""

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from highdicom.pm.sop import pmread
from highdicom.seg import segread
from highdicom.sr import srread

from hirescam.ct.dicom.headers import silence_pydicom
from hirescam.ct.grid import Cells, cell_affine
from hirescam.ct.reading import read_volume
from hirescam.ct.volume import Volume
from hirescam.errors import TargetError, WriteError
from hirescam.export.dicom.objects import write_dicom, write_organ_segmentation
from hirescam.export.dicom.source import read_source
from hirescam.methods._audit import Guarantee, Kind
from hirescam.organs.external import import_organs
from hirescam.organs.masks import ORGANS, OrganMasks, Verdict
from make import shared_data, volume
from make_dicom import PLANTED, setting, write_enhanced, write_series
from make_explanation import explanation, map_with

LABELS = ("lung_nodule", "heart_stent", "odd one")
STUDY = "1.2.3.4"
TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
PLACES = {
    "straight": {},
    "oblique": {"tilt_deg": 20},
    "flipped": {"flips": (-1, 1, -1)},
    "from the feet up": {"flips": (-1, 1, 1)},
}


def study(folder, **place):
    """A series on disk, the explanation of what is read from it, and organs in it."""
    made = volume((9, 16, 18), spacing=(2.0, 0.75, 0.8), origin=(30.0, 20.0, 10.0), **place)
    write_series(folder / "series", made, change=setting(StudyInstanceUID=STUDY))
    scan = read_volume(folder / "series")
    codes = np.zeros(scan.shape, np.uint8)
    codes[:, 3:12, 3:9] = 1
    codes[:, 3:12, 11:16] = 3
    verdicts = dict.fromkeys(ORGANS, Verdict())
    return folder / "series", scan, OrganMasks(codes, scan.affine, "drawn", verdicts=verdicts)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dicom")
    series, scan, organs = study(folder)
    found = explanation(LABELS, scan=scan, logits=np.array([2.0, 1.0, -1.0], np.float32))
    paths = write_dicom(found, read_source(series), folder / "out", organs=organs)
    return found, organs, {path.stem: path for path in paths}


def test_there_is_a_map_for_each_likely_label_and_one_object_of_each_other_kind(written):
    _, _, paths = written
    assert [*paths] == [
        *(
            "map-01",
            "map-02",
            "thresholded-01",
            "thresholded-02",
            "organs",
            "allowed-regions",
            "report",
        )
    ]


needs_dciodvfy = pytest.mark.skipif(
    not shutil.which("dciodvfy"), reason="dciodvfy is not installed (Debian: dicom3tools)"
)


def errors_of(path):
    """What the validator of dicom3tools objects to; warnings, as of codes of ours, are not."""
    done = subprocess.run(
        ["dciodvfy", "-new", path], capture_output=True, text=True, check=False
    )
    assert done.stderr, "it names at least the kind of object"
    return [line for line in done.stderr.splitlines() if line.startswith("Error")]


@needs_dciodvfy
def test_dciodvfy_finds_no_error(written):
    assert {name: errors_of(path) for name, path in written[2].items()} == {
        name: [] for name in written[2]
    }


def marked(scan, cell):
    """An explanation of `scan` whose map is bright in one cell, and where that lies."""
    cells = (Cells(1.0, 2.0, 4), Cells(2.5, 4.0, 3), Cells(2.5, 4.0, 3))
    found = explanation(("x",), maps=[map_with(cell)], scan=scan)
    found = dataclasses.replace(found, affine=cell_affine(cells, scan.affine))
    return found, (TO_LPS @ found.affine @ [*cell, 1])[:3]


def brightest(values, place):
    """Where the brightest voxels lie in the patient, by an affine from index to LPS."""
    top = np.argwhere(values > 0.999 * values.max()).mean(axis=0)
    return (place @ [*top, 1])[:3]


@pytest.mark.parametrize("options", PLACES.values(), ids=PLACES)
def test_a_marker_opens_at_its_place_in_the_patient(tmp_path, options):
    series, scan, _ = study(tmp_path, **options)
    found, place_mm = marked(scan, (2, 1, 1))
    paths = write_dicom(found, read_source(series), tmp_path / "out")
    stored = pydicom.dcmread(paths[0])
    shared = stored.SharedFunctionalGroupsSequence[0]
    row_mm, column_mm = shared.PixelMeasuresSequence[0].PixelSpacing
    across, down = np.split(
        np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float), 2
    )
    frame, row, column = np.unravel_index(stored.pixel_array.argmax(), stored.pixel_array.shape)
    group = stored.PerFrameFunctionalGroupsSequence[frame].PlanePositionSequence[0]
    found_mm = (
        np.array(group.ImagePositionPatient, float)
        + down * row * row_mm
        + across * column * column_mm
    )
    assert np.abs(found_mm - place_mm).max() <= 1.0  # half a voxel, of 2 mm at most
    by_highdicom = pmread(paths[0]).get_volume()
    assert np.abs(brightest(by_highdicom.array, by_highdicom.affine) - place_mm).max() <= 1.0


@pytest.mark.parametrize("options", PLACES.values(), ids=PLACES)
def test_the_map_has_the_geometry_of_the_source_series(tmp_path, options):
    series, scan, _ = study(tmp_path, **options)
    path, *_ = write_dicom(explanation(scan=scan), read_source(series), tmp_path / "out")
    slices = [pydicom.dcmread(file) for file in sorted(series.iterdir())]
    stored = pydicom.dcmread(path)
    shared = stored.SharedFunctionalGroupsSequence[0]
    spacing = shared.PixelMeasuresSequence[0].PixelSpacing
    cosines = shared.PlaneOrientationSequence[0].ImageOrientationPatient
    assert np.allclose(spacing, slices[0].PixelSpacing, atol=1e-6)
    assert np.allclose(cosines, slices[0].ImageOrientationPatient, atol=1e-6)
    assert (stored.Rows, stored.Columns) == (slices[0].Rows, slices[0].Columns)
    by_instance = {one.SOPInstanceUID: one.ImagePositionPatient for one in slices}
    assert int(stored.NumberOfFrames) == len(slices)
    for frame in stored.PerFrameFunctionalGroupsSequence:
        source = frame.DerivationImageSequence[0].SourceImageSequence[0]
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        assert np.allclose(
            position, by_instance.pop(source.ReferencedSOPInstanceUID), atol=1e-4
        )
    assert not by_instance


@pytest.mark.parametrize("options", PLACES.values(), ids=PLACES)
def test_frames_follow_the_cross_product_of_row_and_column(tmp_path, options):
    series, scan, _ = study(tmp_path, **options)
    path, *_ = write_dicom(explanation(scan=scan), read_source(series), tmp_path / "out")
    stored = pydicom.dcmread(path)
    plane = stored.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0]
    normal = np.cross(*np.split(np.array(plane.ImageOrientationPatient, float), 2))
    frames = stored.PerFrameFunctionalGroupsSequence
    places = [frame.PlanePositionSequence[0].ImagePositionPatient for frame in frames]
    assert (np.diff(np.array(places, float) @ normal) > 0).all()
    assert [frame.FrameContentSequence[0].DimensionIndexValues for frame in frames] == [
        *range(1, len(frames) + 1)
    ]


def test_the_values_are_those_of_the_map_and_say_what_they_are(written):
    found, _, paths = written
    map_ = pmread(paths["map-01"])
    values = map_.get_volume(apply_real_world_transform=False)
    ours = Volume(found.map_on_scan("lung_nodule"), found.scan.affine)
    place = np.linalg.inv(TO_LPS @ ours.affine) @ values.affine
    turned = np.rint(place[:3, :3]).astype(int)  # the same voxels, perhaps from the other end
    steps = tuple(slice(None, None, int(turned[axis, axis])) for axis in range(3))
    assert np.allclose(values.array, ours.voxels[steps], atol=1e-7)
    meaning = map_.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0]
    kind, *texts = meaning.QuantityDefinitionSequence
    assert kind.ConceptCodeSequence[0].CodeValue == "130403"
    told = {item.ConceptNameCodeSequence[0].CodeValue: item.TextValue for item in texts}
    assert told["111001"] == "hirescam"
    assert "tiny" in told["111002"]
    assert "Guaranteed" in told["121106"]


def test_a_map_above_global_average_pooling_is_coded_as_class_activation(tmp_path):
    series, scan, _ = study(tmp_path)
    pooled = (Guarantee(Kind.CAM, gap=1e-7, n_probes=16),)
    found = explanation(("x",), scan=scan, verdicts=pooled)
    path, *_ = write_dicom(found, read_source(series), tmp_path / "out")
    shared = pydicom.dcmread(path).SharedFunctionalGroupsSequence[0]
    meaning = shared.RealWorldValueMappingSequence[0].QuantityDefinitionSequence[0]
    assert meaning.ConceptCodeSequence[0].CodeValue == "130402"


def test_organs_come_back_from_the_segmentation_as_they_were(written):
    found, organs, paths = written
    back = import_organs(paths["organs"], found.scan, "hirescam")
    for organ in ("right_lung", "mediastinum"):
        assert np.array_equal(back.mask(organ), organs.mask(organ))


def test_regions_are_those_of_anatomy_and_thresholded_maps_hold_the_peak(written):
    found, organs, paths = written
    regions = segread(paths["allowed-regions"])
    assert [one.SegmentLabel for one in regions.SegmentSequence] == [
        *("allowed: right lung and left lung", "allowed: mediastinum")
    ]
    lung = regions.get_volume(segment_numbers=[1])
    assert lung.array.sum() == organs.mask("right_lung").sum()
    evidence = segread(paths["thresholded-01"]).get_volume(segment_numbers=[1])
    values = found.map_on_scan("lung_nodule")
    assert evidence.array.sum() == np.count_nonzero(values >= 0.5 * values.max())


def test_a_reader_we_did_not_write_opens_the_segmentation_in_its_place(written):
    found, organs, paths = written
    image = sitk.ReadImage(paths["organs"])
    slices = segread(paths["organs"]).number_of_frames
    assert image.GetSize() == (*found.scan.shape[:0:-1], slices)
    assert (sitk.GetArrayViewFromImage(image) > 0).sum() == (organs.codes > 0).sum()


@pytest.mark.skipif(not shutil.which("dcmdump"), reason="dcmtk is not installed")
def test_a_reader_we_did_not_write_finds_the_marker_among_the_floats(tmp_path):
    series, scan, _ = study(tmp_path)
    found, _ = marked(scan, (2, 1, 1))
    path, *_ = write_dicom(found, read_source(series), tmp_path / "out")
    done = subprocess.run(
        ["dcmdump", "-q", "+L", "+P", "FloatPixelData", path],
        capture_output=True,
        text=True,
        check=True,
    )
    values = np.array(done.stdout.split()[2].split("\\"), float).reshape(scan.shape)
    assert np.allclose(values, pydicom.dcmread(path).pixel_array, rtol=1e-5)


def by_dcm2niix(path, folder):
    """Values (column, row, slice), and the affine from their index to LPS."""
    run("dcm2niix", "-o", folder, "-f", "map", "-s", "y", path)
    image = nib.load(folder / "map.nii")
    return image.get_fdata(), TO_LPS @ image.affine


def by_dcmqi(path, folder):
    """The same of what 3D Slicer reads maps with."""
    run("paramap2itkimage", "--inputDICOM", path, "--outputDirectory", folder, "-t", "nrrd")
    image = sitk.ReadImage(folder / "pmap.nrrd")
    place = np.eye(4)
    place[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    place[:3, 3] = image.GetOrigin()
    return sitk.GetArrayFromImage(image).T, place


def program(name):
    """Where it is, beside this Python or anywhere; none where it is not."""
    return shutil.which(name, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")


def run(name, *arguments):
    subprocess.run([program(name), *arguments], capture_output=True, check=True)


READERS = {"dcm2niix": by_dcm2niix, "paramap2itkimage": by_dcmqi}


@pytest.mark.parametrize("options", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("reader", READERS)
def test_readers_we_did_not_write_find_the_map_on_the_grid_of_the_scan(
    tmp_path, reader, options
):
    if not program(reader):
        pytest.skip(f"{reader} is not installed (Debian: dcm2niix; PyPI: dcmqi)")
    series, scan, _ = study(tmp_path, **options)
    found = explanation(("x",), scan=scan)
    path, *_ = write_dicom(found, read_source(series), tmp_path / "out")
    (tmp_path / "read").mkdir()
    values, place = READERS[reader](path, tmp_path / "read")
    to_ours = np.linalg.inv(TO_LPS @ scan.affine) @ place
    index = np.indices(values.shape).reshape(3, -1)
    ours = to_ours[:3, :3] @ index + to_ours[:3, 3:]
    assert np.abs(ours - np.rint(ours)).max() < 1e-3
    slices, rows, columns = np.rint(ours).astype(int)
    assert np.array_equal(values.ravel(), found.map_on_scan("x")[slices, rows, columns])
    assert values.size == found.map_on_scan("x").size


def test_the_report_tells_probability_evidence_and_verdict_of_every_label(written):
    found, _, paths = written
    told = srread(paths["report"]).content.get_image_measurement_groups()
    assert [group.tracking_identifier for group in told] == list(LABELS)
    first = told[0]
    certainty, score, *shares = first.get_measurements()
    assert certainty.value == pytest.approx(100 * found.probabilities["lung_nodule"])
    assert score.value == pytest.approx(found.scores["lung_nodule"])
    assert sum(share.value for share in shares) == pytest.approx(100, abs=1e-3)
    evaluations = first.get_qualitative_evaluations()
    meanings = {item.name.meaning: item.value.meaning for item in evaluations}
    assert meanings["map verdict"] == "guaranteed"
    texts = [item.TextValue for item in first[0].ContentSequence if item.ValueType == "TEXT"]
    assert any("% of the positive evidence lies" in text for text in texts)


def test_the_report_names_each_map_as_the_visual_explanation_of_its_finding(written):
    _, _, paths = written
    told = srread(paths["report"]).content.get_image_measurement_groups()
    named = {
        group.tracking_identifier: item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for group in told
        for item in group[0].ContentSequence
        if item.name.value == "130401"
    }
    maps = {stem: pydicom.dcmread(path) for stem, path in paths.items() if "map-" in stem}
    assert named == {map_.ContentDescription: map_.SOPInstanceUID for map_ in maps.values()}


def test_every_object_belongs_to_the_patient_and_the_study(written):
    for path in written[2].values():
        stored = pydicom.dcmread(path)
        assert str(stored.PatientName) == stored.PatientID == PLANTED
        assert stored.AccessionNumber == PLANTED
    uids = {pydicom.dcmread(path).SOPInstanceUID for path in written[2].values()}
    assert len(uids) == len(written[2])


def test_an_enhanced_series_in_one_file_is_a_source_too(tmp_path):
    made = volume((6, 16, 18), spacing=(2.0, 0.75, 0.8))
    path = write_enhanced(
        tmp_path / "enhanced.dcm",
        made,
        change=lambda file: setting(StudyInstanceUID=STUDY)(file, 0),
    )
    found, place_mm = marked(read_volume(path), (1, 1, 1))
    paths = write_dicom(found, read_source(path), tmp_path / "out")
    stored = pmread(paths[0]).get_volume()
    assert np.abs(brightest(stored.array, stored.affine) - place_mm).max() <= 1.0


def test_a_repaired_series_has_its_objects_on_the_repaired_grid(tmp_path):
    series, _, _ = study(tmp_path)
    (series / "004.dcm").unlink()
    scan = read_volume(series, on_bad_geometry="repair")
    assert scan.repairs
    found, place_mm = marked(scan, (2, 1, 1))
    paths = write_dicom(found, read_source(series), tmp_path / "out")
    stored = pmread(paths[0]).get_volume()
    assert np.abs(brightest(stored.array, stored.affine) - place_mm).max() <= 1.0


def test_a_scan_that_was_no_series_is_refused(tmp_path):
    path = volume().to_nifti(tmp_path / "scan.nii.gz")
    with pytest.raises(WriteError, match=r"scan\.nii\.gz is no DICOM series"):
        read_source(path)


def test_a_series_of_no_study_is_refused(tmp_path):
    write_series(tmp_path / "series", volume())
    with pytest.raises(WriteError, match="does not say which study it belongs to"):
        read_source(tmp_path / "series")


def test_another_series_and_an_unknown_label_are_refused_and_leave_nothing(tmp_path):
    series, scan, _ = study(tmp_path)
    source = read_source(series)
    moved = Volume(scan.voxels, scan.affine + _shift(5.0))
    with pytest.raises(WriteError, match=r"5\.0 mm elsewhere"):
        write_dicom(explanation(scan=moved), source, tmp_path / "out")
    with pytest.raises(TargetError, match="lung_nodul"):
        write_dicom(explanation(scan=scan), source, tmp_path / "out", labels=["lung_nodul"])
    assert not (tmp_path / "out").exists()


def _shift(by_mm):
    moved = np.zeros((4, 4))
    moved[0, 3] = by_mm
    return moved


def test_organs_alone_make_a_segmentation(tmp_path):
    series, scan, organs = study(tmp_path)
    path = write_organ_segmentation(organs, scan, read_source(series), tmp_path / "o.dcm")
    assert np.array_equal(import_organs(path, scan, "hirescam").codes > 0, organs.codes > 0)
    empty = dataclasses.replace(organs, codes=np.zeros_like(organs.codes))
    with pytest.raises(WriteError, match="no organ has a voxel"):
        write_organ_segmentation(empty, scan, read_source(series), tmp_path / "e.dcm")


@pytest.fixture(scope="module")
def of_real_series(tmp_path_factory):
    """A real scan, and the objects of an explanation of it."""
    series = shared_data("ct", "cip64", "dicom")
    scan = read_volume(series)
    out = tmp_path_factory.mktemp("real")
    return scan, write_dicom(explanation(("lung_nodule",), scan=scan), read_source(series), out)


def test_a_real_series_has_its_map_on_its_own_grid(of_real_series):
    scan, paths = of_real_series
    with silence_pydicom():  # of a patient's name that is no name
        stored = pmread(paths[0]).get_volume()
    ours = TO_LPS @ scan.affine @ [*np.array(scan.shape) - 1, 1]
    ends = np.sort([(TO_LPS @ scan.affine)[:3, 3], ours[:3]], axis=0)
    theirs = stored.affine @ [*np.array(stored.spatial_shape) - 1, 1]
    assert np.allclose(np.sort([stored.affine[:3, 3], theirs[:3]], axis=0), ends, atol=1e-3)


@needs_dciodvfy
def test_dciodvfy_finds_no_error_in_those_of_a_real_series(of_real_series):
    assert [errors_of(path) for path in of_real_series[1]] == [[]] * len(of_real_series[1])
