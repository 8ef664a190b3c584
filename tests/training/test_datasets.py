"""Data sets on disk: each layout as it is published, a little of it, and what may be wrong."""

import csv

import numpy as np
import pytest

from hirescam.anatomy import LABELS as ALL_LABELS
from hirescam.anatomy import ORGANS
from hirescam.errors import HirescamError, ReadError, TargetError
from hirescam.training.config import TrainConfig
from hirescam.training.datasets.cases import anatomy_of, possible_organs
from hirescam.training.datasets.ct_rate import LIES_IN
from hirescam.training.datasets.read import read_cases

RIGHT, LEFT, MEDIASTINUM = (np.array([organ == each for organ in ORGANS]) for each in ORGANS)
LABELS = ("lung_nodule", "heart_cardiomegaly")


def write(path, header, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *lines])
    return path


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def table(folder, *lines, columns=LABELS):
    touch(folder / "a.nii", folder / "b.nii")
    rows = lines or (("a", "a.nii", "train", 1, 0), ("b", "b.nii", "valid", "", 1))
    return write(folder / "cases.csv", ("id", "path", "split", *columns), *rows)


def config(path, **changes):
    return TrainConfig(**({"data": path, "labels": LABELS} | changes))


def test_a_plain_table_gives_labels_and_what_is_empty_is_unknown(tmp_path):
    cases = read_cases(config(table(tmp_path)))
    (a,), (b,) = cases.splits["train"], cases.splits["valid"]
    assert a.labels.tolist() == [1, 0]
    assert np.isnan(b.labels[0])
    assert b.labels[1] == 1
    assert a.scan == tmp_path / "a.nii"


def test_a_present_label_may_lie_where_its_name_says_and_others_nowhere(tmp_path):
    (a,) = read_cases(config(table(tmp_path))).splits["train"]
    np.testing.assert_array_equal(a.places, [RIGHT | LEFT, MEDIASTINUM & False])


def test_a_column_can_tell_the_side(tmp_path):
    columns = (*LABELS, "lung_nodule*left_lung")
    rows = ("a", "a.nii", "train", 1, 0, 1), ("b", "b.nii", "valid", 0, 0, 0)
    (a,) = read_cases(config(table(tmp_path, *rows, columns=columns))).splits["train"]
    np.testing.assert_array_equal(a.places[0], LEFT)


def test_labels_with_sides_lie_on_their_side():
    found = possible_organs(anatomy_of(["left_lung_mass", "right_lung_mass", "fracture"]))
    np.testing.assert_array_equal(found, [LEFT, RIGHT, LEFT & False])


def test_a_label_of_no_place_can_be_trained_without_a_mask_loss_alone(tmp_path):
    path = table(tmp_path, columns=("fracture", "lung_nodule"))
    labels = ("fracture", "lung_nodule")
    assert read_cases(config(path, labels=labels)).labels == labels
    with pytest.raises(TargetError, match="'fracture' does not say where it lies"):
        read_cases(config(path, labels=labels, mask_loss="published"))


def test_a_subset_is_named_by_a_table(tmp_path):
    touch(tmp_path / "c.nii")
    rows = ("a", "b", "c"), ("train", "valid", "train")
    path = table(tmp_path, *((n, f"{n}.nii", s, 0, 0) for n, s in zip(*rows, strict=True)))
    subset = write(tmp_path / "some.csv", ("VolumeAcc_DEID",), ("b.npz",), ("c.npz",))
    cases = read_cases(config(path, subset=subset))
    assert [each.id for each in cases.splits["train"]] == ["c"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("a", "a.nii", "training", 0, 0)], "line 2 of cases.csv has split 'training'"),
        ([("a", "a.nii", "train", 2, 0)], "column lung_nodule holds '2', expected 1, 0 or"),
        ([("a", "a.nii", "train", 0, 0)], "no scan of cases.csv is in split valid"),
        ([("a", "gone.nii", "train", 0, 0)], r"in split train \(1 rows have no scan file\)"),
    ],
)
def test_what_is_wrong_in_a_table_is_told(tmp_path, rows, said):
    with pytest.raises(ReadError, match=said):
        read_cases(config(table(tmp_path, *rows)))


def test_a_column_that_is_missing_is_told(tmp_path):
    with pytest.raises(
        ReadError, match=r"cases.csv has no column 'lung_mass' \(1 are missing\)"
    ):
        read_cases(config(table(tmp_path), labels=(*LABELS, "lung_mass")))


def test_columns_can_name_organ_masks_and_a_series(tmp_path):
    columns = (*LABELS, "organs", "series")
    rows = ("a", "a.nii", "train", 1, 0, "a.seg", "1.2"), ("b", "b.nii", "valid", 0, 0, "", "")
    cases = read_cases(config(table(tmp_path, *rows, columns=columns)))
    (a,), (b,) = cases.splits["train"], cases.splits["valid"]
    assert (a.organs, a.series) == (tmp_path / "a.seg", "1.2")
    assert (b.organs, b.series) == (None, None)


def test_organ_masks_bear_the_ids_of_scans(tmp_path):
    touch(tmp_path / "organs" / "a.nii.gz")
    path = table(tmp_path)
    with pytest.raises(HirescamError, match="organs lacks organ masks of 1 of 2 scans"):
        read_cases(config(path, organs=tmp_path / "organs"))
    touch(tmp_path / "organs" / "b.nii.gz")
    (a,) = read_cases(config(path, organs=tmp_path / "organs")).splits["train"]
    assert a.organs == tmp_path / "organs" / "a.nii.gz"


CELLS = (
    "nodule*left_upper",
    "nodule*lung",
    "pleural_effusion*other_location",
    "cardiomegaly*heart",
    "calcification*aorta",
)


def rad_chestct(folder):
    """Two training scans of which one is not among those that were released."""
    name = "img{}_Abnormality_and_Location_Labels.csv"
    header = ("NoteAcc_DEID", *CELLS)
    write(
        folder / name.format("train"), header, ("trn1", 1, 0, 0, 1, 0), ("trn2", 0, 1, 1, 0, 0)
    )
    write(folder / name.format("valid"), header, ("val1", 0, 1, 1, 0, 1))
    write(folder / name.format("test"), header, ("tst1", 0, 0, 0, 0, 0))
    touch(folder / "scans" / "trn1.npz", folder / "val1.npz", folder / "tst1.npz")
    return folder


def known(case, labels):
    return {label for label, value in zip(labels, case.labels, strict=True) if value == 1}


def test_rad_chestct_cells_become_the_80_labels_and_their_sides(tmp_path):
    given = {"layout": "rad-chestct", "labels": ALL_LABELS, "view": "80-published"}
    cases = read_cases(config(rad_chestct(tmp_path), **given))
    (train,), (valid,) = cases.splits["train"], cases.splits["valid"]
    assert cases.absent == 1
    assert known(train, ALL_LABELS) == {"lung_nodule", "heart_cardiomegaly"}
    np.testing.assert_array_equal(train.places[ALL_LABELS.index("lung_nodule")], LEFT)
    assert known(valid, ALL_LABELS) == {"lung_pleural_effusion", "great_vessel_calcification"}
    assert cases.splits["test"][0].labels.tolist() == [0] * 80


def test_the_view_80_counts_nodules_of_no_told_side(tmp_path):
    given = {"layout": "rad-chestct", "labels": ALL_LABELS, "view": "80"}
    (valid,) = read_cases(config(rad_chestct(tmp_path), **given)).splits["valid"]
    assert "lung_nodule" in known(valid, ALL_LABELS)
    where = valid.places[ALL_LABELS.index("lung_nodule")]
    np.testing.assert_array_equal(where, RIGHT | LEFT)


def test_rad_chestct_labels_can_have_sides(tmp_path):
    labels = ("left_lung_nodule", "right_lung_nodule")
    given = {"layout": "rad-chestct", "labels": labels, "view": "80-sides"}
    (train,) = read_cases(config(rad_chestct(tmp_path), **given)).splits["train"]
    assert train.labels.tolist() == [1, 0]
    np.testing.assert_array_equal(train.places[0], LEFT)


def test_the_part_of_validation_that_the_paper_did_not_use_is_left_out(tmp_path):
    folder = rad_chestct(tmp_path)
    header = ("MRN", "Accession", "Set_Assigned", "Subset_Assigned")
    row = ("0", "val1", "imgvalid", "imgvalid_b")
    write(folder / "all_identifiers.csv", header, row)
    with pytest.raises(ReadError, match="in split valid"):
        read_cases(config(folder, layout="rad-chestct"))


def test_ct_rate_has_18_labels_and_scans_in_nested_folders(tmp_path):
    columns = [label.replace("_", " ").capitalize() for label in LIES_IN]
    values = [1, *[0] * 16, 1]
    for split in ("train", "valid"):
        name = f"{split}_1_a_1.nii.gz"
        labels = tmp_path / "multi_abnormality_labels" / f"{split}_predicted_labels.csv"
        write(labels, ("VolumeName", *columns), (name, *values))
        touch(tmp_path / f"{split}_fixed" / f"{split}_1" / f"{split}_1_a" / name)
    given = {"layout": "ct-rate", "labels": tuple(LIES_IN), "mask_loss": "anatomy"}
    (train,) = read_cases(config(tmp_path, **given)).splits["train"]
    assert known(train, LIES_IN) == {"medical_material", "interlobular_septal_thickening"}
    np.testing.assert_array_equal(train.places[-1], RIGHT | LEFT)


def test_the_labels_of_ct_rate_are_those_of_its_view():
    from hirescam.reports.views import read_view

    assert set(LIES_IN) == set(read_view("ct_rate").labels)


def test_a_simulated_data_set_tells_labels_sides_and_splits(tmp_path):
    header = ("id", *LABELS, "nodule*right_lung", "nodule*lung")
    write(tmp_path / "labels.csv", header, ("c0", 1, 0, 1, 1), ("c1", 0, 1, 0, 0))
    write(tmp_path / "splits.csv", ("id", "split"), ("c0", "train"), ("c1", "valid"))
    touch(tmp_path / "scans" / "c0.nii.gz", tmp_path / "scans" / "c1.nii.gz")
    (train,) = read_cases(config(tmp_path, layout="simulated")).splits["train"]
    np.testing.assert_array_equal(train.places[0], RIGHT)


def test_a_data_set_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ReadError, match="set `data` to where the data set lies"):
        read_cases(config(tmp_path / "nowhere"))


@pytest.mark.parametrize("layout", ["rad-chestct", "ct-rate"])
def test_a_folder_of_another_kind_is_told(tmp_path, layout):
    labels = tuple(LIES_IN) if layout == "ct-rate" else LABELS
    with pytest.raises(ReadError, match=r"holds no .*csv: give the folder of"):
        read_cases(config(tmp_path, layout=layout, labels=labels))
