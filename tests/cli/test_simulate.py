"""`hirescam simulate`: a folder, its name on stdout, and refusals in one sentence."""

import json

import pytest
from typer import Typer
from typer.testing import CliRunner

from hirescam.cli import simulate
from hirescam.errors import HirescamError

app = Typer()
app.command()(simulate.simulate)


def run(*arguments):
    return CliRunner().invoke(app, [str(each) for each in arguments])


def test_a_data_set_is_made_and_named(tmp_path):
    done = run("--n", 2, "--out", tmp_path / "set", "--shortcut", "marker=0.5", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"folder": str(tmp_path / "set"), "chests": 2}
    assert len(list((tmp_path / "set" / "scans").iterdir())) == 2
    planted = json.loads((tmp_path / "set" / "manifest.json").read_text())["plan"]["plantings"]
    assert planted[0] == {"shortcut": "marker", "label": "heart_cardiomegaly", "strength": 0.5}


@pytest.mark.parametrize(
    ("option", "value"), [("--shortcut", "marker"), ("--prevalence", "lung_lump=0.5")]
)
def test_what_cannot_be_is_refused(tmp_path, option, value):
    done = run("--n", 1, "--out", tmp_path / "set", option, value)
    assert isinstance(done.exception, HirescamError)
    assert not (tmp_path / "set").exists()
