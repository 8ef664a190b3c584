"""Findings tell what the maps hold, and every label has a file name that is its own."""

import numpy as np
import pytest

from hirescam.errors import TargetError, WriteError
from hirescam.summary.findings import file_names, findings
from make import volume
from make_explanation import explanation, map_with


def test_the_most_probable_comes_first_even_where_probabilities_are_all_one():
    found = explanation(("a", "b", "c"), logits=np.array([400, 500, -1], np.float32))
    assert [row.label for row in findings(found)] == ["b", "a", "c"]


def test_evidence_for_and_against_adds_up_to_the_score():
    found = explanation()
    for row in findings(found):
        assert row.positive > 0 > row.negative
        assert row.map_sum + row.offset == pytest.approx(row.score, rel=1e-6)


@pytest.mark.parametrize("options", [{"tilt_deg": 20}, {"flips": (-1, 1, -1)}])
def test_the_peak_lies_where_its_cell_lies_in_the_patient(options):
    scan = volume(spacing=(2, 1, 1), origin=(5, 6, 7), **options)
    (row,) = findings(explanation(("x",), maps=[map_with((3, 0, 2))], scan=scan))
    voxel = [1 + 3 * 3, 4 + 3 * 0, 4 + 3 * 2, 1]
    assert row.peak.cell == (3, 0, 2)
    assert np.allclose(row.peak.patient_mm, (scan.affine @ voxel)[:3])


def test_a_map_without_positive_cells_peaks_where_it_is_lowest():
    values = -map_with((1, 2, 0)) - 0.1
    (row,) = findings(explanation(("x",), maps=[values]))
    assert row.peak.cell == (1, 2, 0)
    assert row.peak.value == pytest.approx(-1.1)


def test_labels_are_chosen_by_name_and_each_once():
    rows = findings(explanation(), ["heart_stent", "heart_stent"])
    assert [row.label for row in rows] == ["heart_stent"]
    with pytest.raises(TargetError, match=r"'lung_nodul'.*nearest is 'lung_nodule'"):
        findings(explanation(), ["lung_nodul"])


def test_numbers_that_are_not_finite_are_refused_by_label():
    maps = np.zeros((2, 4, 3, 3))
    maps[1, 0, 0, 0] = np.nan
    with pytest.raises(WriteError, match="'heart_stent' hold values that are not finite"):
        findings(explanation(maps=maps))


ODD = (
    "../../etc/passwd",
    "a/b",
    "a_b",
    "a b",
    "A_B",
    "",
    "ü",
    "n" * 500,
    "n" * 501,
    "CON:",
    ".x",
)


def test_names_are_safe_and_distinct_even_where_case_does_not_count():
    names = file_names(ODD)
    assert len({name.lower() for name in names.values()}) == len(ODD)
    assert all(
        set(name) <= set("abcdefghijklmnopqrstuvwxyzABCNO0123456789_-")
        for name in names.values()
    )
    assert all(0 < len(name) < 100 for name in names.values())


def test_plain_labels_keep_their_name():
    assert file_names(["lung_nodule"]) == {"lung_nodule": "lung_nodule"}
