"""Experiments on a handful of chests: the way is walked, the numbers mean nothing."""

import csv

import numpy as np
import pytest

from hirescam.evaluation.references import REFERENCES
from hirescam.experiments import shortcut, table2
from hirescam.experiments.runs import run_folder
from hirescam.experiments.study import LABELS, NETWORK, recipe
from hirescam.experiments.tables import as_markdown, write_table

CHESTS = 7  # at least one in each split


@pytest.fixture(scope="module")
def tabled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("table2")
    scale = table2.StudySize(chests=CHESTS, epochs=1, seeds=(0,), further=1)
    return folder, table2.run(folder / "data", folder / "out", scale=scale)


def test_table_2_has_both_losses_and_both_maps_beside_the_papers_numbers(tabled):
    rows = tabled[1].rows
    assert {(row["trained with"], row["map"]) for row in rows[:4]} == set(table2.PAPER)
    assert [row["paper_on_rad_chestct"] for row in rows[:4]] == [0.201, 0.207, 0.214, 0.276]
    assert [row["trained with"] for row in rows[4:6]] == 2 * ["class + mask loss, λ = 1/3"]
    assert [row["map"] for row in rows[6:]] == list(REFERENCES)
    assert {row["trained with"] for row in rows[6:]} == {"nothing"}
    assert len({tuple(row) for row in rows}) == 1
    assert all(0 <= row["organ_iou"] <= 1 for row in rows)


def test_the_training_table_comes_from_the_reports_and_agrees_with_the_truth(tabled):
    data = tabled[0] / "data" / f"{CHESTS}-chests"
    with (data / "partition.csv").open() as read, (data / "labels.csv").open() as true:
        pairs = list(zip(csv.DictReader(read), csv.DictReader(true), strict=True))
    cells = [(one[label], other[label]) for one, other in pairs for label in LABELS]
    assert len(cells) == CHESTS * len(LABELS)
    assert sum(one == other for one, other in cells) >= 0.95 * len(cells)


def test_lesions_of_simulated_chests_are_measured_for_networks_and_references(tabled):
    for row in tabled[1].rows:
        assert 0 <= row["pointing_hit"] <= row["within_one_cell"] <= 1
        assert 0 <= row["mass_in_lesion"] <= row["energy_in_box"] <= 1
        assert 0 <= row["lesion_auroc"] <= 1
    even = next(row for row in tabled[1].rows if row["map"] == "even map")
    assert even["lesion_auroc"] == 0.5


def test_a_run_is_named_by_its_recipe_its_data_and_the_codes_version(tabled, monkeypatch):
    data = tabled[0] / "data" / f"{CHESTS}-chests"
    runs = tabled[0] / "runs"
    usual = run_folder(runs, recipe(data, name="one", epochs=2))
    assert usual == run_folder(runs, recipe(data, name="one", epochs=2, workers=2))
    assert usual.name.startswith("one-")
    others = [
        run_folder(runs, recipe(data, name="one", epochs=2, **change))
        for change in (
            {"learning_rate": 1e-3},
            {"seed": 1},
            {"mask_loss": "published"},
            {"arguments": {**NETWORK, "padding": 0}},
            {"labels": LABELS[:3]},
            {"organs": data / "truth"},
        )
    ]
    with (data / "partition.csv").open("r+") as file:
        before = file.read()
        file.seek(0)
        file.write(before.replace(",0,", ",1,", 1))
    others.append(run_folder(runs, recipe(data, name="one", epochs=2)))
    (data / "partition.csv").write_text(before)
    assert run_folder(runs, recipe(data, name="one", epochs=2)) == usual
    monkeypatch.setattr("hirescam.__version__", "9.9.9")
    others.append(run_folder(runs, recipe(data, name="one", epochs=2)))
    assert len({usual, *others}) == len(others) + 1


def test_what_is_done_is_not_done_again(tabled):
    folder, first = tabled
    models = {path: path.stat().st_mtime_ns for path in folder.rglob("best.model")}
    scale = table2.StudySize(chests=CHESTS, epochs=1, seeds=(0,), further=1)
    again = table2.run(folder / "data", folder / "out", scale=scale)
    assert as_markdown(again) == as_markdown(first)
    assert {path: path.stat().st_mtime_ns for path in models} == models


def test_a_table_is_written_in_three_formats(tabled, tmp_path):
    written = write_table(tabled[1], tmp_path)
    assert written.read_text() == as_markdown(tabled[1])
    assert (tmp_path / "table2.html").read_text().count("<tr>") == 11
    with (tmp_path / "table2.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 10


def test_the_shortcut_tells_what_the_marker_does_to_the_same_people(tmp_path, monkeypatch):
    monkeypatch.setitem(shortcut.NETWORKS, "wide", shortcut.NARROW)  # the same way, sooner
    trials = ("two-sided, wide fields", "swap outside", "group DRO")
    scale = shortcut.ShortcutSize(chests=CHESTS, epochs=1, trials=trials, seeds=(0,), further=1)
    rows = shortcut.run(tmp_path / "data", tmp_path / "out", scale=scale).rows
    assert tuple(row["trained with"] for row in rows) == trials
    for row in rows:
        assert {"score_due_to_marker", "negative_evidence_outside"} <= set(row)
        assert 0 <= row["auroc_marker_swapped"] <= 1 or np.isnan(row["auroc_marker_swapped"])
        assert row["auroc_marker_swapped_of_seeds"].count(",") == 0
    has = {}
    for name in shortcut.SOURCES:
        folder = tmp_path / f"data/shortcut-{CHESTS}-chests" / name
        with (folder / "shortcuts.csv").open() as file:
            has[name] = [row.get("rod", "0") == "1" for row in csv.DictReader(file)]
        with (folder / "labels.csv").open() as file:
            truth = [row[shortcut.LABEL] == "1" for row in csv.DictReader(file)]
    assert has["swapped"] == [not label for label in truth]
    assert not any(has["plain"])
    assert (tmp_path / "out/shortcut.png").stat().st_size > 10_000
