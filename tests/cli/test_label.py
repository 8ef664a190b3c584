"""The commands about labels, from outside."""

import csv
import json

import pytest
from typer import Typer
from typer.testing import CliRunner

from hirescam.cli.label import label, label_audit, vocabulary

REPORTS = [
    ("id", "report"),
    ("a", "Nodule in the right upper lobe, no effusion."),
    ("b", "Cardiomegaly. MISTER SECRET"),
    ("c", ""),
]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command in a folder that holds reports.csv."""
    monkeypatch.chdir(tmp_path)
    with (tmp_path / "reports.csv").open("w", newline="") as file:
        csv.writer(file).writerows(REPORTS)
    app = Typer(pretty_exceptions_enable=False)
    for name, command in {
        "label": label,
        "audit": label_audit,
        "vocabulary": vocabulary,
    }.items():
        app.command(name)(command)

    def invoke(*arguments, code=0):
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result.output

    return invoke


SARLE = ("--profile", "sarle-2020")


def test_labelling_says_what_it_wrote_and_what_it_could_not(run):
    printed = run("label", "reports.csv", *SARLE).splitlines()
    assert printed == [
        "labels.csv: 5 findings in 2 reports",
        "labels.csv.errors.csv: 1 reports could not be labelled",
    ]


def test_labels_have_a_row_for_each_finding_with_its_words(run, tmp_path):
    run("label", "reports.csv", *SARLE, "--out", "out/long.csv")
    rows = (tmp_path / "out/long.csv").read_text().splitlines()
    assert rows[0] == "report,abnormality,location,status,start,end,text,set"
    assert rows[1] == "a,nodule,right_upper,present,0,6,Nodule,published"


def test_no_words_of_a_report_reach_the_output_but_the_evidence(run, tmp_path):
    printed = run("label", "reports.csv", *SARLE)
    written = "".join(path.read_text() for path in tmp_path.glob("labels*"))
    assert "SECRET" not in printed + written


def test_a_row_per_report_counts_as_asked(run, tmp_path):
    run("label", "reports.csv", *SARLE, "--format", "80", "--unmentioned", "blank")
    (first, _) = csv.DictReader((tmp_path / "labels.csv").read_text().splitlines())
    assert (first["lung_nodule"], first["lung_mass"]) == ("1", "")


def test_json_says_where_the_labels_are(run):
    printed = json.loads(run("label", "reports.csv", *SARLE, "--json"))
    assert printed == {"labels": "labels.csv", "reports": 2, "findings": 5, "refused": 1}


def test_one_report_is_explained_on_the_terminal_and_as_a_page(run, tmp_path):
    printed = run("label", "reports.csv", *SARLE, "--explain", "a", "--html", "a.html")
    assert "right_upper" in printed
    assert '<mark class="present"' in (tmp_path / "a.html").read_text()
    assert not (tmp_path / "labels.csv").exists()


def test_labels_are_compared_with_manual_ones(run, tmp_path):
    run("label", "reports.csv", *SARLE)
    (tmp_path / "truth.csv").write_text("report,nodule,cardiomegaly\na,1,0\nb,0,0\nc,1,1\n")
    printed = run("audit", "truth.csv", "labels.csv", "--differences", "differences.csv")
    assert "second: profile sarle-2020" in printed
    assert printed.splitlines()[0].endswith("2 reports")
    assert printed.splitlines()[-2].split() == ["macro", "over", "0", "labels", "undefined"]
    assert printed.splitlines()[-1] == "1 labels differ"
    assert "b,cardiomegaly,second" in (tmp_path / "differences.csv").read_text()


def test_a_vocabulary_is_checked_row_by_row(run):
    printed = run("vocabulary", "check", *SARLE)
    assert "misspelt: abnormalities 'heart_valve_replacement': 'tricupsid'" in printed
    assert printed.splitlines()[-1].startswith("187 rows, ")


def test_a_vocabulary_whose_example_fails_ends_with_1(run, tmp_path):
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "ours.toml").write_text(
        '[[abnormalities]]\nname = "x"\nsystem = "lung"\nexample = "y"\nexpected = ["x"]\n'
    )
    printed = json.loads(run("vocabulary", "check", "ours", *SARLE, "--json", code=1))
    assert printed["flaws"][0]["sentence"] == "'y' gives nothing, expected x"
