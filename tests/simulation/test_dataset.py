"""A simulated data set: whole, repeatable, resumable, and readable by our own reader."""

import csv
import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest

from hirescam.anatomy import LABELS
from hirescam.ct.reading import read_volume
from hirescam.errors import HirescamError, ReadError, WriteError
from hirescam.simulation.dataset import (
    Plan,
    chest_id,
    make_dataset,
    parse_shares,
    simulate_planned,
    split_of,
)
from hirescam.simulation.dataset_files import read_truth, write_npz
from hirescam.simulation.shortcuts import Planting

PLAN = Plan(
    4,
    seed=5,
    spacing_mm=(12.0, 9.0, 9.0),
    prevalence={"heart_cardiomegaly": 0.5},
    plantings=(Planting("marker", "heart_cardiomegaly", 0.9),),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_dataset(tmp_path_factory.mktemp("data") / "set", PLAN)


def contents(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_as_many_lie_prone_as_the_plan_says():
    plan = replace(PLAN, count=1, plantings=(), prone=1.0)
    turned, flat = simulate_planned(plan, 0), simulate_planned(replace(plan, prone=0.0), 0)
    assert turned.cells == flat.cells
    assert not np.array_equal(turned.volume.voxels, flat.volume.voxels)


def test_a_data_set_from_before_an_option_goes_on_with_its_default(tmp_path):
    plan = replace(PLAN, count=1, plantings=())
    manifest = make_dataset(tmp_path, plan) / "manifest.json"
    older = json.loads(manifest.read_text())
    del older["plan"]["prone"]
    manifest.write_text(json.dumps(older))
    make_dataset(tmp_path, plan)
    with pytest.raises(WriteError, match="another plan"):
        make_dataset(tmp_path, replace(plan, prone=0.5))


def test_scans_and_truths_are_those_of_the_simulated_chests(made):
    for index in range(PLAN.count):
        chest, name = simulate_planned(PLAN, index), chest_id(index)
        scan = read_volume(made / "scans" / f"{name}.nii.gz")
        np.testing.assert_array_equal(scan.voxels, chest.volume.voxels)
        np.testing.assert_allclose(scan.affine, chest.volume.affine, atol=1e-4)
        truth = read_truth(made / "truth" / f"{name}.npz")
        for kind, own in (
            (truth.organs, chest.organs),
            (truth.masks, chest.masks),
            (truth.shortcuts, chest.shortcut_masks),
        ):
            assert set(kind) == set(own)
            for key, mask in own.items():
                np.testing.assert_array_equal(kind[key], mask)


def test_tables_have_a_row_for_each_chest(made):
    ids = [chest_id(index) for index in range(PLAN.count)]
    for name in ("reports", "labels", "splits", "shortcuts"):
        assert [row["id"] for row in rows(made / f"{name}.csv")] == ids
    for row, report in zip(rows(made / "labels.csv"), rows(made / "reports.csv"), strict=True):
        assert tuple(row)[1:81] == LABELS
        lobes = {cell for cell, value in row.items() if "*" in cell and value == "1"}
        assert ("cardiomegaly*heart" in lobes) == (row["heart_cardiomegaly"] == "1")
        assert "FINDINGS:" in report["report"]


def test_the_same_plan_gives_the_same_bytes_in_any_number_of_processes(made, tmp_path):
    again = make_dataset(tmp_path / "again", PLAN, jobs=2)
    assert contents(again) == contents(made)


def test_a_second_run_makes_what_is_missing_and_touches_nothing_else(made, tmp_path):
    out = make_dataset(tmp_path / "set", PLAN)
    before = (out / "scans" / "chest-000000.nii.gz").stat().st_mtime_ns
    (out / "records" / "chest-000002.json").unlink()
    (out / "scans" / "chest-000002.nii.gz").unlink()
    seen = []
    make_dataset(out, PLAN, on_progress=lambda name, done, of: seen.append((done, of)))
    assert seen == [(4, 4)]
    assert contents(out) == contents(made)
    assert (out / "scans" / "chest-000000.nii.gz").stat().st_mtime_ns == before


def test_another_plan_is_not_mixed_in(made):
    with pytest.raises(WriteError, match="another plan"):
        make_dataset(made, Plan(4, seed=6, spacing_mm=PLAN.spacing_mm))


def test_splits_are_balanced_from_the_beginning():
    splits = [split_of(index) for index in range(200)]
    for count in (20, 60, 200):
        assert splits[:count].count("train") == pytest.approx(0.7 * count, abs=2)
        assert splits[:count].count("valid") == pytest.approx(0.15 * count, abs=2)


def test_the_manifest_states_the_plan_and_the_versions(made):
    manifest = json.loads((made / "manifest.json").read_text())
    assert manifest["plan"]["seed"] == 5
    assert manifest["plan"]["plantings"][0]["strength"] == 0.9
    assert manifest["versions"]["numpy"] == np.__version__


def test_npz_is_read_as_rad_chestct(made, tmp_path):
    scan = read_volume(made / "scans" / "chest-000000.nii.gz")
    write_npz(tmp_path / "scan.npz", scan)
    read = read_volume(tmp_path / "scan.npz")
    np.testing.assert_array_equal(read.voxels, scan.voxels.clip(-1000, 1000))
    assert read.spacing_mm == pytest.approx((0.8, 0.8, 0.8))


@pytest.mark.parametrize(
    ("plan", "named"),
    [
        (Plan(0), "at least one"),
        (Plan(1, format="tiff"), "tiff"),
        (Plan(1, format="npz"), "size full"),
        (Plan(1, prevalence={"lung_lump": 0.1}), "lung_lump"),
        (Plan(1, plantings=(Planting("stamp", "lung_cyst", 0.5),)), "stamp"),
    ],
)
def test_plans_that_cannot_be_are_refused_before_anything_is_written(plan, named, tmp_path):
    with pytest.raises(HirescamError, match=named):
        make_dataset(tmp_path / "set", plan)
    assert not (tmp_path / "set").exists()


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "set").write_text("mine")
    with pytest.raises(WriteError, match="set"):
        make_dataset(tmp_path / "set", PLAN)


def test_shares_are_read_as_they_are_written():
    assert parse_shares(["lung_cyst=0.25"]) == {"lung_cyst": 0.25}
    with pytest.raises(HirescamError, match="lung_cyst"):
        parse_shares(["lung_cyst"])


def test_a_damaged_truth_is_refused(tmp_path):
    (tmp_path / "x.npz").write_bytes(b"PK nothing")
    with pytest.raises(ReadError, match="truth"):
        read_truth(tmp_path / "x.npz")
