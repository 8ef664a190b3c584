"""Masks that other programs made."""

import json
import sys

import nibabel as nib
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.sr.codedict import codes as sr_codes

from hirescam.ct.volume import Volume, reorient
from hirescam.errors import GeometryError, MissingPackageError, ReadError
from hirescam.organs.external import TABLES, MaskTable, import_organs, load_table
from hirescam.organs.files import save_organs
from hirescam.organs.masks import ORGANS, OrganMasks
from make import affine, volume
from make_dicom import write_series

SHAPE = (12, 16, 16)
LUNGS = load_table("lungmask")
_ASKED_BY_HIGHDICOM = """
    PatientName PatientBirthDate PatientSex ReferringPhysicianName StudyDate StudyTime
"""


def write_labels(path, codes, placed=None, *, dtype=np.uint8, names=None):
    """Codes as another program writes them; names in the header as TotalSegmentator does."""
    placed = affine() if placed is None else placed
    image = nib.Nifti1Image(np.asarray(codes, dtype).T, placed[:, [2, 1, 0, 3]])
    if names:
        rows = "".join(
            f'<Label Key="{code}" Red="1"><![CDATA[{name}]]></Label>'
            for code, name in names.items()
        )
        table = (
            '<?xml version="1.0" encoding="UTF-8"?> <CaretExtension><VolumeInformation '
            f'Index="0"><LabelTable>{rows}</LabelTable></VolumeInformation></CaretExtension>\n '
        )
        image.header.extensions.append(nib.nifti1.Nifti1Extension(0, table.encode()))
    nib.save(image, path)
    return path


def two_halves(shape=SHAPE, *, right=1, left=2):
    codes = np.zeros(shape, np.uint8)
    codes[2:-2, :, : shape[2] // 2] = right
    codes[2:-2, :, shape[2] // 2 :] = left
    return codes


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32, np.float64])
def test_lungmask_1_is_the_right_lung_and_2_the_left(tmp_path, dtype):
    path = write_labels(tmp_path / "mask.nii.gz", two_halves(), dtype=dtype)
    masks = import_organs(path, volume(SHAPE), "lungmask")
    np.testing.assert_array_equal(masks.codes, two_halves())
    assert masks.organs == ("right_lung", "left_lung")
    assert masks.method == "external"
    assert not any(verdict.heuristic for verdict in masks.verdicts.values())


@pytest.mark.parametrize(
    ("table", "codes", "organs"),
    [
        ("lungmask-lobes", [1, 2, 3, 4, 5], [2, 2, 1, 1, 1]),
        ("lungmask-lobes-fine", [1, 2, 3, 4, 5], [1, 2, 3, 4, 5]),
        ("totalsegmentator", [10, 11, 12, 13, 14, 51, 52, 5], [2, 2, 1, 1, 1, 3, 3, 0]),
        ("totalsegmentator-v1", [13, 14, 15, 16, 17, 49, 7, 5], [2, 2, 1, 1, 1, 3, 3, 0]),
        ("totalsegmentator-heart", [1, 5, 6, 7], [1, 1, 2, 3]),
        ("hirescam", [1, 2, 3], [1, 2, 3]),
    ],
)
def test_each_code_of_a_program_becomes_its_organ(tmp_path, table, codes, organs):
    row = np.zeros((1, 1, 16), np.uint8)
    row[0, 0, : len(codes)] = codes
    path = write_labels(tmp_path / "mask.nii.gz", np.broadcast_to(row, SHAPE))
    masks = import_organs(path, volume(SHAPE), table)
    np.testing.assert_array_equal(masks.codes[3, 3, : len(codes)], organs)


@pytest.mark.parametrize("table", TABLES)
def test_every_organ_of_our_tables_is_made_of_structures_with_codes(table):
    loaded = load_table(table)
    members = [name for names in loaded.organs.values() for name in names]
    assert set(members) <= set(loaded.codes)
    assert len(set(members)) == len(members)
    assert len(set(loaded.codes.values())) == len(loaded.codes)


def test_names_in_the_file_count_before_codes_of_the_table(tmp_path):
    names = {1: "lung_upper_lobe_left", 2: "heart"}
    path = write_labels(tmp_path / "mask.nii.gz", two_halves(), names=names)
    masks = import_organs(path, volume(SHAPE), "totalsegmentator")
    np.testing.assert_array_equal(masks.codes, two_halves(right=2, left=3))


def test_a_folder_holds_one_file_per_structure(tmp_path):
    for name, code in (("lung_upper_lobe_right", 1), ("lung_lower_lobe_left", 2)):
        write_labels(tmp_path / f"{name}.nii.gz", two_halves() == code)
    write_labels(tmp_path / "liver.nii.gz", np.ones(SHAPE))  # known, of no organ
    masks = import_organs(tmp_path, volume(SHAPE), "totalsegmentator")
    np.testing.assert_array_equal(masks.codes, two_halves())


def test_what_is_absent_is_said_in_its_verdict(tmp_path):
    path = write_labels(tmp_path / "mask.nii.gz", two_halves(left=1))
    masks = import_organs(path, volume(SHAPE), "lungmask")
    assert not any("imported" in reason for reason in masks.verdicts["right_lung"].reasons)
    assert masks.verdicts["left_lung"].reasons == ("the imported masks hold nothing of it",)


@pytest.mark.parametrize("suffix", ["toml", "json"])
def test_a_user_maps_other_body_regions_with_a_table_of_their_own(tmp_path, suffix):
    content = {
        "toml": 'codes = "totalsegmentator"\n[organs]\nliver = ["liver"]\n'
        'kidneys = ["kidney_left", "kidney_right"]\n',
        "json": json.dumps(
            {
                "codes": "totalsegmentator",
                "organs": {"liver": ["liver"], "kidneys": ["kidney_left", "kidney_right"]},
            }
        ),
    }
    table = tmp_path / f"abdomen.{suffix}"
    table.write_text(content[suffix])
    path = write_labels(tmp_path / "mask.nii.gz", two_halves(right=5, left=3))
    masks = import_organs(path, volume(SHAPE), table)
    assert masks.organs == ("liver", "kidneys")
    np.testing.assert_array_equal(masks.codes, two_halves())


@pytest.mark.parametrize("orientation", ["RAS", "LPI", "SAR"])
def test_masks_in_other_axes_land_on_the_same_places(tmp_path, orientation):
    scan = volume(SHAPE)
    turned = reorient(Volume(two_halves().astype(np.int16), scan.affine), orientation)
    path = write_labels(tmp_path / "mask.nii.gz", turned.voxels, turned.affine)
    np.testing.assert_array_equal(import_organs(path, scan, LUNGS).codes, two_halves())


def test_coarser_masks_are_taken_from_the_nearest_voxel(tmp_path):
    fine, coarse = affine(), affine(spacing=(2.0, 2.0, 2.0), origin=(-0.5, -0.5, -0.5))
    path = write_labels(tmp_path / "mask.nii.gz", two_halves((6, 8, 8)), coarse)
    masks = import_organs(path, Volume(volume(SHAPE).voxels, fine), LUNGS)
    expected = two_halves((6, 8, 8)).repeat(2, 0).repeat(2, 1).repeat(2, 2)
    np.testing.assert_array_equal(masks.codes, expected)


def test_masks_that_end_before_the_scan_does_are_refused(tmp_path):
    path = write_labels(tmp_path / "mask.nii.gz", two_halves((6, 16, 16)))
    with pytest.raises(GeometryError, match=r"mask\.nii\.gz: .* 6 mm beyond it: give"):
        import_organs(path, volume(SHAPE), LUNGS)


def test_masks_of_another_place_are_refused(tmp_path):
    path = write_labels(tmp_path / "mask.nii.gz", two_halves(), affine(origin=(300.0, 0, 0)))
    with pytest.raises(GeometryError, match="does not cover the scan"):
        import_organs(path, volume(SHAPE), LUNGS)


def test_an_unknown_structure_is_refused_with_the_one_that_may_be_meant(tmp_path):
    write_labels(tmp_path / "lung_uper_lobe_right.nii.gz", two_halves())
    with pytest.raises(ReadError, match=r"is lung_upper_lobe_right meant\?.*add it to one"):
        import_organs(tmp_path, volume(SHAPE), "totalsegmentator")


def test_an_unknown_code_is_refused(tmp_path):
    path = write_labels(tmp_path / "mask.nii.gz", two_halves(left=9))
    with pytest.raises(ReadError, match=r"codes 9, which neither it nor the table names"):
        import_organs(path, volume(SHAPE), LUNGS)


@pytest.mark.parametrize(
    ("codes", "complaint"),
    [
        (np.full(SHAPE, 0.5), "fractions"),
        (np.full(SHAPE, -1000.0), "from -1000 to 0"),
        (np.full(SHAPE, np.nan), "from nan"),
        (np.zeros((2, *SHAPE)), "4 axes"),
    ],
)
def test_what_is_no_mask_is_refused(tmp_path, codes, complaint):
    path = write_labels(tmp_path / "mask.nii.gz", codes, dtype=np.float32)
    with pytest.raises(ReadError, match=complaint):
        import_organs(path, volume(SHAPE), LUNGS)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [("lungmsk", r"is lungmask meant\?"), ("lungs.toml", "cannot be read as text")],
)
def test_a_table_that_is_not_there_is_refused(name, complaint):
    with pytest.raises(ReadError, match=complaint):
        load_table(name)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[organs", "is no table"),
        ("[organ]\nliver = ['liver']", "organ"),
        ("[organs]\nliver = 5", r"organs\.liver"),
        ("[organs]\nliver = ['liver']\n[codes]\nliver = 0", r"codes\.liver: .*greater than 0"),
        ("codes = 'nowhere'\n[organs]\nliver = ['liver']", "no table is called nowhere"),
    ],
)
def test_what_is_wrong_in_a_table_is_named(tmp_path, text, complaint):
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(ReadError, match=complaint):
        load_table(path)


def test_paths_that_are_no_masks_are_refused(tmp_path):
    with pytest.raises(ReadError, match="nowhere: there is no such"):
        import_organs(tmp_path / "nowhere", volume(SHAPE), LUNGS)
    with pytest.raises(ReadError, match="holds no NIfTI"):
        import_organs(tmp_path, volume(SHAPE), LUNGS)
    (tmp_path / "mask.png").touch()
    with pytest.raises(ReadError, match=r"mask\.png: no reader of masks"):
        import_organs(tmp_path / "mask.png", volume(SHAPE), LUNGS)


def test_our_own_masks_can_be_imported_onto_another_grid(tmp_path):
    codes = two_halves()
    codes[:, :4] = 3
    path = save_organs(OrganMasks(codes, affine(), method="published"), tmp_path / "o.nii.gz")
    masks = import_organs(path, reorient(volume(SHAPE), "RAS"), "hirescam")
    assert masks.organs == ORGANS
    assert masks.volumes_ml == OrganMasks(codes, affine(), method="").volumes_ml


def test_segments_of_dicom_are_found_by_their_labels(tmp_path):
    scan = volume(SHAPE, tilt_deg=10.0, spacing=(2.0, 1.0, 1.0))
    codes = np.zeros(SHAPE, np.uint8)
    codes[2:5, 1:4, 1:4] = 1
    codes[2:5, 1:4, 5:8] = 2
    path = write_seg(tmp_path, scan, codes, ("Right Lung", "Left lung"))
    table = MaskTable(organs={"right_lung": ("right_lung",), "left_lung": ("left_lung",)})
    np.testing.assert_array_equal(import_organs(path, scan, table).codes, codes)


def write_seg(folder, scan, codes, labels):
    """A DICOM SEG file of a scan, without the slices where there is no segment."""
    hd = pytest.importorskip("highdicom", reason="DICOM SEG needs the extra hirescam[dicom]")
    study, frame = hd.UID(), hd.UID()

    def identify(header, index):
        header.StudyInstanceUID, header.FrameOfReferenceUID = study, frame
        for keyword in _ASKED_BY_HIGHDICOM.split():
            setattr(header, keyword, "")

    segments = [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=label,
            segmented_property_category=sr_codes.SCT.Organ,
            segmented_property_type=sr_codes.SCT.Lung,
            algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
        )
        for number, label in enumerate(labels, start=1)
    ]
    seg = hd.seg.Segmentation(
        [dcmread(path) for path in write_series(folder / "ct", scan, change=identify)],
        codes,
        hd.seg.SegmentationTypeValues.BINARY,
        segments,
        series_instance_uid=hd.UID(),
        series_number=2,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="hirescam",
        manufacturer_model_name="test",
        software_versions="1",
        device_serial_number="1",
    )
    seg.save_as(folder / "seg.dcm")
    return folder / "seg.dcm"


def test_without_highdicom_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "highdicom.seg", None)
    (tmp_path / "seg.dcm").touch()
    with pytest.raises(MissingPackageError, match=r"pip install 'hirescam\[dicom\]'"):
        import_organs(tmp_path / "seg.dcm", volume(SHAPE), LUNGS)
