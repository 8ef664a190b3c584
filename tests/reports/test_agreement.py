"""Two files of labels side by side: counts, scores, intervals, differences."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, f1_score

from hirescam.errors import HirescamError, ReadError
from hirescam.reports.agreement import compare, compare_files, write_differences
from hirescam.reports.label_files import Labels, read_labels
from hirescam.reports.table import Status

TRUTH = "report,Big Mass_Label,nodule_Label,text\na,1,0,said\nb,1,1,said\nc,0,,said\nd,0,0,x\n"
FOUND = """report,abnormality,location,status,start,end,text
a,big_mass,lung,present,0,4,mass
b,nodule,lung,present,0,4,node
b,nodule,heart,absent,0,4,node
c,nodule,,uncertain,0,4,node
c,cyst,liver,absent,0,4,cyst
"""


@pytest.fixture
def files(tmp_path):
    """A table made by hand, and rows of findings."""
    (tmp_path / "truth.csv").write_text(TRUTH)
    (tmp_path / "found.csv").write_text(FOUND)
    return tmp_path / "truth.csv", tmp_path / "found.csv"


def random_labels(seed, reports=60, labels=("x", "y", "z")):
    rng = np.random.default_rng(seed)
    table = rng.random((reports, len(labels))) < (0.5, 0.3, 0.2)
    names = tuple(f"report {row:03d}" for row in range(reports))
    given = {
        name: frozenset(label for label, yes in zip(labels, row, strict=True) if yes)
        for name, row in zip(names, table, strict=True)
    }
    return table, Labels(given, names, tuple(labels), frozenset(), "made elsewhere")


def test_scores_are_those_of_scikit_learn():
    (a, first), (b, second) = random_labels(0), random_labels(1)
    found = compare(first, second, least=1)
    assert found.micro.value == pytest.approx(f1_score(a.ravel(), b.ravel()))
    assert found.macro.value == pytest.approx(f1_score(a, b, average="macro"))
    for row in found.labels:
        at = ("x", "y", "z").index(row.label)
        assert row.f_score.value == pytest.approx(f1_score(a[:, at], b[:, at]))
        assert row.kappa == pytest.approx(cohen_kappa_score(a[:, at], b[:, at]))


def test_intervals_hold_their_value_are_the_same_each_time_and_shrink_with_more_reports():
    def width(reports):
        first, second = (random_labels(seed, reports)[1] for seed in (0, 1))
        found = compare(first, second).micro
        assert found == compare(first, second).micro
        assert found.low < found.value < found.high
        return found.high - found.low

    assert width(1600) < width(100) / 2


def test_a_label_that_nobody_gives_has_no_score():
    labels = Labels({"a": frozenset()}, ("a",), ("x",), frozenset(), "")
    (row,) = compare(labels, labels).labels
    assert np.isnan([row.f_score.value, row.kappa]).all()


def test_findings_are_compared_with_a_table_by_names_that_mean_the_same(files):
    found = compare_files(*files, least=1)
    counts = {row.label: (row.both, row.only_first, row.only_second) for row in found.labels}
    assert counts == {"big_mass": (1, 1, 0), "nodule": (1, 0, 1)}
    assert found.reports == 4


def test_how_uncertain_counts_is_the_callers_choice(files):
    found = compare_files(*files, uncertain=Status.ABSENT)
    assert found.differing == (("b", "big_mass", "first"),)


def test_places_tell_the_same_abnormality_apart(files):
    found = read_labels(files[1], places=True)
    assert found.given["b"] == {"nodule*lung"}


def test_a_report_that_could_not_be_labelled_is_not_counted_as_negative(files, tmp_path):
    (tmp_path / "found.csv.errors.csv").write_text("report,problem\nd,the report is empty\n")
    assert compare_files(*files).reports == 3


def test_differences_name_the_report_the_label_and_who_gives_it(files, tmp_path):
    write_differences(compare_files(*files), tmp_path / "differences.csv")
    assert (tmp_path / "differences.csv").read_text().splitlines()[1:] == [
        "b,big_mass,first",
        "c,nodule,second",
    ]


def test_a_file_that_holds_no_labels_says_what_it_should_hold(tmp_path):
    (tmp_path / "text.csv").write_text("report,text\na,mass\n")
    with pytest.raises(ReadError, match="none of its columns holds only 0, 1, -1"):
        read_labels(tmp_path / "text.csv")


def test_files_of_other_reports_cannot_be_compared():
    one = Labels({"a": frozenset()}, ("a",), ("x",), frozenset(), "")
    other = Labels({"b": frozenset()}, ("b",), ("x",), frozenset(), "")
    with pytest.raises(HirescamError, match="no report, or no label, in common"):
        compare(one, other)
