"""Labels of many reports: tables, files, views, and reports that are none."""

import csv
import json

import pyarrow.parquet
import pytest

from hirescam.errors import HirescamError, ReadError, WriteError
from hirescam.reports.explain import page
from hirescam.reports.files import read_reports
from hirescam.reports.label import (
    LONGEST,
    Source,
    explain_one,
    label_file,
    label_one,
    label_reports,
)
from hirescam.reports.label_files import Counting
from hirescam.reports.profile import ProfileChoice
from hirescam.reports.table import Finding, Status
from hirescam.reports.views import View, read_view, view_names

SARLE = ProfileChoice("sarle-2020")
TEXTS = {
    "first": "Nodule in the right upper lobe. Heart is enlarged.",
    "second": "Stable pneumonia, XXXX year old.",
    "empty": " \n",
    "binary": "mass\x00\x01",
    "clear": "The lungs are clear.",
}


def label(texts, **options):
    return label_reports(texts, profile="sarle-2020", **options)


@pytest.fixture
def reports(tmp_path):
    """The same reports as CSV, JSON lines, Parquet and a folder."""
    with (tmp_path / "reports.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("id", "report"), *TEXTS.items()])
    rows = [{"id": name, "report": text} for name, text in TEXTS.items()]
    (tmp_path / "reports.jsonl").write_text("\n".join(map(json.dumps, rows)))
    table = pyarrow.Table.from_pylist(rows)
    pyarrow.parquet.write_table(table, tmp_path / "reports.parquet")
    (tmp_path / "reports").mkdir()
    for name, text in TEXTS.items():
        (tmp_path / "reports" / f"{name}.txt").write_text(text)
    return tmp_path


def test_a_table_gives_the_findings_of_a_report_by_its_name():
    table = label(TEXTS)
    assert {found.abnormality for found in table["first"]} == {"nodule", "cardiomegaly"}
    assert table["clear"] == ()
    assert len(table) == 3
    assert len(table.findings) == sum(len(table[name]) for name in table.reports)


def test_what_is_no_text_is_refused_with_a_reason_that_does_not_quote_it():
    refused = label(TEXTS).refused
    assert refused["empty"] == "the report is empty"
    assert "character 4 is U+0000" in refused["binary"]
    assert "mass" not in refused["binary"]


def test_one_megabyte_is_labelled_and_too_much_is_refused():
    table = label({"long": "Nodule. " * 131_072, "longer": "n" * (LONGEST + 1)})
    assert [found.abnormality for found in table["long"]] == ["nodule"]
    assert "more than" in table.refused["longer"]


def test_a_report_on_which_the_labeller_fails_is_refused_without_its_words():
    class Failing:
        version = "none"

        def label(self, report_id, text):
            raise ValueError(text)

    one = label_one(Failing(), "a", "secret")
    assert one.problem == "the labeller failed with ValueError"


def test_two_processes_give_what_one_gives():
    texts = {f"report {number}": TEXTS["second"] for number in range(2000)} | TEXTS
    assert label(texts, jobs=2) == label(texts)


def test_an_unknown_profile_or_option_is_named_with_what_there_is():
    with pytest.raises(
        HirescamError, match="no profile is named 'sarle': choose one of default"
    ):
        label_reports(TEXTS, profile="sarle")
    with pytest.raises(HirescamError, match="'default' has no option ambiguous"):
        label_reports(TEXTS, ambiguous=False)


@pytest.mark.parametrize("name", ["reports.csv", "reports.jsonl", "reports.parquet", "reports"])
def test_every_kind_of_file_gives_the_same_reports(reports, name):
    assert sorted(read_reports(reports / name)) == sorted(TEXTS.items())


def test_bytes_that_are_no_text_refuse_their_row_alone(tmp_path):
    path = tmp_path / "reports.csv"
    path.write_bytes(b"id,report\na,nodule\nb,\xff\xfe\nc\nd,mass\n")
    written = label_file(Source(path), tmp_path / "out.csv", SARLE)
    assert (written.reports, written.refused) == (2, 2)
    errors = (tmp_path / "out.csv.errors.csv").read_text().splitlines()
    assert errors[1] == 'b,"the report is not text: character 0 is byte 0xff, not UTF-8"'
    assert errors[2] == "c,its row is damaged or has no text"


def test_a_damaged_line_of_json_is_refused_by_its_number(tmp_path):
    path = tmp_path / "reports.jsonl"
    path.write_text(
        '{"id": "a", "report": "mass"}\n{"id": "b", \n{"id": "c", "report": "mass"}'
    )
    assert [name for name, _ in read_reports(path)] == ["a", "row 2", "c"]


def test_a_missing_column_is_named_with_those_there_are(reports):
    with pytest.raises(
        ReadError, match=r"no column 'text' but 'id', 'report': .*--text-column"
    ):
        read_reports(reports / "reports.csv", text_column="text")


def test_a_file_of_another_kind_is_told_what_can_be_read(tmp_path):
    with pytest.raises(ReadError, match=r"an existing \.csv, \.jsonl, .*folder of \.txt"):
        read_reports(tmp_path / "reports.docx")


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
@pytest.mark.parametrize("format", ["long", "wide", "80"])
def test_the_same_reports_give_the_same_bytes(reports, format, ending):
    outs = [reports / f"{turn}{ending}" for turn in (1, 2)]
    for out in outs:
        label_file(Source(reports / "reports.csv"), out, SARLE, format=format)
    assert outs[0].read_bytes() == outs[1].read_bytes()


def test_the_vocabulary_is_named_beside_the_labels_and_inside_parquet(reports):
    out = reports / "labels.parquet"
    label_file(Source(reports / "reports.csv"), out, SARLE)
    about = json.loads((reports / "labels.parquet.json").read_text())
    inside = json.loads(pyarrow.parquet.read_schema(out).metadata[b"hirescam"])
    assert about["vocabulary"] == inside["vocabulary"] == SARLE.build().version
    assert (about["reports"], about["refused"]) == (3, 2)


def test_a_name_that_is_neither_csv_nor_parquet_is_refused_before_any_work(reports):
    with pytest.raises(WriteError, match=r"choose \.csv or \.parquet"):
        label_file(Source(reports / "reports.csv"), reports / "labels.xlsx", SARLE)


def test_nothing_half_written_is_left_where_reading_fails(reports):
    path = reports / "bad.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ReadError):
        label_file(Source(path), reports / "labels.csv", SARLE)
    assert not list(reports.glob("*labels.csv*"))


def finding(abnormality, location="", status=Status.PRESENT):
    return Finding("r", abnormality, location, status, 0, 1, "x")


def test_the_80_labels_are_those_of_the_paper_in_its_order():
    from hirescam.anatomy import LABELS

    assert read_view("80").labels == read_view("80-published").labels == LABELS


def test_sides_are_kept_unless_the_published_way_is_asked_for():
    left = [finding("pneumonia", "left_lung"), finding("nodule", "left_lung")]
    assert set(read_view("80-sides").see(left)) == {"left_lung_pneumonia", "left_lung_nodule"}
    assert set(read_view("80-sides-published").see(left)) == {
        "left_lung_pneumonia",
        "right_lung_pneumonia",
        "left_lung_nodule",
    }


def test_a_finding_without_a_side_counts_unless_the_published_way_is_asked_for():
    nodules = [finding("nodule", "lung")]
    assert "lung_nodule" in read_view("80").see(nodules)
    assert "lung_nodule" not in read_view("80-published").see(nodules)


def test_wide_columns_are_every_abnormality_at_every_location():
    view = read_view("wide")
    assert len(view.labels) == 84 * 52
    assert view.labels[0] == "bandlike_or_linear*left_upper"
    assert set(view.see([finding("nodule")])) == {"nodule*other_location"}


@pytest.mark.parametrize("name", view_names())
def test_every_shipped_view_has_labels(name):
    assert isinstance(view := read_view(name), View)
    assert len(set(view.labels)) == len(view.labels) > 10


def test_present_wins_over_uncertain_and_that_over_absent():
    view = read_view("80")
    both = [finding("cabg", "heart", status) for status in (Status.ABSENT, Status.UNCERTAIN)]
    assert view.see(both) == {"heart_cabg": Status.UNCERTAIN}
    assert view.see([*both, finding("cabg", "heart")]) == {"heart_cabg": Status.PRESENT}


def test_how_uncertain_and_unmentioned_count_is_the_callers_choice():
    statuses = (Status.PRESENT, Status.ABSENT, Status.UNCERTAIN, None)
    assert [Counting().cell(status) for status in statuses] == [1, 0, 1, 0]
    chexpert = Counting(uncertain=-1, unmentioned=None)
    assert [chexpert.cell(status) for status in statuses] == [1, 0, -1, None]


def test_a_site_can_add_change_and_remove_rows_and_the_version_tells(tmp_path):
    (tmp_path / "ours.toml").write_text(
        """
        [[abnormalities]]
        name = "mass"
        remove = true

        [[abnormalities]]
        name = "nodule"
        system = "generic"
        any = ["coin"]
        example = "coin lesion"
        expected = ["nodule"]

        [[abnormalities]]
        name = "granny"
        system = "generic"
        any = ["@not_lung"]
        example = "thyroid"
        expected = ["granny"]
        """
    )
    table = label({"a": "mass, nodule. Coin. Thyroid."}, vocabulary=tmp_path)
    assert {found.abnormality for found in table["a"]} == {"nodule", "granny"}
    assert table.version != SARLE.build().version


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ("[[abnormalities]]\nname = 'x'", "row 'x' of abnormalities is not valid at system"),
        ("[[disease]]\nname = 'x'", "a table 'disease': expected rules, abnormalities"),
        ("name = ", "is no TOML file"),
        ("rules = 3", r"gives rules no rows: write them as \[\[rules\]\]"),
        (
            "[[locations]]\nname = 'x'\nany = ['@y']\n",
            "names words '@y': expected one of all_lobes",
        ),
    ],
)
def test_a_vocabulary_that_is_wrong_says_where(tmp_path, rows, complaint):
    (tmp_path / "ours.toml").write_text(rows)
    with pytest.raises(HirescamError, match=complaint):
        label(TEXTS, vocabulary=tmp_path)


def test_an_explained_report_shows_all_its_text_and_what_the_rules_left_out(reports):
    explanation = explain_one(Source(reports / "reports.csv"), "clear", SARLE)
    assert "".join(part.text for part in explanation.stretches) == TEXTS["clear"]
    assert [part.left_out for part in explanation.stretches] == ["clear 'clear'", ""]


def test_the_page_of_a_report_runs_nothing_that_the_report_says():
    profile = SARLE.build()
    from hirescam.reports.explain import explain_report

    text = "<script>alert(1)</script> mass"
    shown = page(explain_report(profile, "<b>", text), profile="sarle-2020")
    assert "<script>" not in shown
    assert '<mark class="present" title="mass present">mass</mark>' in shown


def test_a_report_that_is_not_there_cannot_be_explained(reports):
    with pytest.raises(HirescamError, match="cannot explain report 'none'"):
        explain_one(Source(reports / "reports.csv"), "none", SARLE)


def test_reports_without_names_are_refused():
    with pytest.raises(HirescamError, match="without their names"):
        label_reports(iter(["There is a nodule."]))


@pytest.mark.parametrize("nothing", [None, float("nan"), b"There is a nodule."])
def test_what_is_no_text_is_refused_and_the_rest_goes_on(nothing):
    table = label_reports(iter([("empty", nothing), ("full", "There is a nodule.")]))
    assert table.refused == {"empty": "its row is damaged or has no text"}
    assert table["full"][0].abnormality == "nodule"
