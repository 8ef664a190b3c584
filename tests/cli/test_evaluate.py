"""hirescam evaluate, from simulated chests and a run to a page."""

import json
import subprocess
import sys

import pytest

from hirescam.experiments.study import make_chests, partition_table, recipe
from hirescam.training.train import train


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate")
    make_chests(folder / "data", 7)
    partition_table(folder / "data")
    train(recipe(folder / "data", epochs=1), folder / "run")
    return folder


def evaluate(*arguments, folder):
    command = [sys.executable, "-m", "hirescam", "evaluate", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_test_scans_take_the_thresholds_of_validation_scans(run):
    done = evaluate("run", "--split", "test", "--out", "tested", "--json", folder=run)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed["scans"] == sum(
        line.endswith(",test") for line in (run / "data/splits.csv").read_text().splitlines()
    )
    assert not [note for note in printed["notes"] if "thresholds" in note]
    page = (run / "tested" / "evaluation.html").read_text()
    assert "test scans" in page


def test_an_evaluation_is_not_replaced_unless_asked(run):
    (run / "mine").mkdir()
    (run / "mine" / "notes.txt").write_text("mine")
    done = evaluate("run", "--out", "mine", folder=run)
    assert done.returncode == 1
    assert done.stderr.startswith("hirescam: ")
    assert [path.name for path in (run / "mine").iterdir()] == ["notes.txt"]


def test_a_folder_that_is_no_run_is_refused_in_one_sentence(run):
    done = evaluate("data", folder=run)
    assert done.returncode == 1
    assert done.stderr == (
        "hirescam: data holds no run: give a folder that `hirescam train` wrote\n"
    )
