"""Folders that can be shown, and those that are refused with their cure."""

import shutil

import pytest

from hirescam.errors import ReadError
from hirescam.viewer.cases import read_cases


def test_a_folder_of_folders_is_a_cohort_and_one_of_them_a_case(folder):
    assert [case.name for case in read_cases(folder)] == ["case-1", "case-2"]
    assert [case.name for case in read_cases(folder / "case-2")] == ["case-2"]


def test_the_cases_of_a_cohorts_results_are_found(folder, tmp_path):
    shutil.copytree(folder / "case-1", tmp_path / "out" / "cases" / "17")
    assert [case.name for case in read_cases(tmp_path / "out")] == ["17"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda home: (home / "scan.nii.gz").unlink(), "holds no scan.nii.gz"),
        (lambda home: (home / "summary.json").unlink(), "holds no summary.json"),
        (lambda home: (home / "summary.json").write_text("[1"), "is no summary"),
        (lambda home: (home / "summary.json").write_text('{"findings": []}'), "no finding"),
        (shutil.rmtree, "is not a folder"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_its_cure(folder, tmp_path, wrong, told):
    home = tmp_path / "case"
    shutil.copytree(folder / "case-1", home)
    wrong(home)
    with pytest.raises(ReadError, match=told):
        read_cases(home)
