"""Experiments on a handful of chests: the way is walked, the numbers mean nothing."""

import csv

import pytest

from hirescam.experiments import shortcut, table2
from hirescam.experiments.study import LABELS
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
    assert [row["trained with"] for row in rows[4:]] == 2 * ["class + mask loss, λ = 1/3"]
    assert all(0 <= row["organ_iou"] <= 1 for row in rows)


def test_the_training_table_comes_from_the_reports_and_agrees_with_the_truth(tabled):
    data = tabled[0] / "data" / f"{CHESTS}-chests"
    with (data / "partition.csv").open() as read, (data / "labels.csv").open() as true:
        pairs = list(zip(csv.DictReader(read), csv.DictReader(true), strict=True))
    cells = [(one[label], other[label]) for one, other in pairs for label in LABELS]
    assert len(cells) == CHESTS * len(LABELS)
    assert sum(one == other for one, other in cells) >= 0.95 * len(cells)


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
    assert (tmp_path / "table2.html").read_text().count("<tr>") == 7
    with (tmp_path / "table2.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 6


def test_the_shortcut_tells_what_the_marker_does_to_the_same_people(tmp_path):
    scale = shortcut.ShortcutSize(
        chests=CHESTS, epochs=1, trials=("two-sided, wide fields",), further=1
    )
    (row,) = shortcut.run(tmp_path / "data", tmp_path / "out", scale=scale).rows
    assert row["trained with"] == "two-sided, wide fields"
    assert {"score_due_to_marker", "negative_evidence_outside"} <= set(row)
    assert (tmp_path / "out/shortcut.png").stat().st_size > 10_000
