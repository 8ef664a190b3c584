"""The command `train` from outside: what it prints, leaves and refuses."""

import json
import subprocess
import sys

import pytest

from make_cases import small_config, write_cases


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Cases, and a recipe for them in TOML."""
    folder = tmp_path_factory.mktemp("home")
    table = write_cases(folder, train=4, valid=2)
    config = small_config(table, epochs=1).model_dump(mode="json", exclude_defaults=True)
    (folder / "recipe.json").write_text(json.dumps(config))
    return folder


def hirescam(*arguments, folder):
    command = [sys.executable, "-m", "hirescam", "train", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_train_names_the_model_and_a_second_call_goes_on_with_it(folder):
    done = hirescam("recipe.json", "--out", "run", "--json", folder=folder)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert (folder / printed["model"]).is_file()
    assert printed["notes"][-1].startswith("Epoch 1: loss ")
    assert done.stderr == ""
    arguments = ("recipe.json", "--out", "run", "--resume", "--set", "epochs=2")
    assert hirescam(*arguments, folder=folder).returncode == 0
    assert len((folder / "run" / "epochs.csv").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            "learning_rte=1",
            "'learning_rte' is no key of a config, do you mean 'learning_rate'?",
        ),
        ("data=gone.csv", "there is no gone.csv: set `data`"),
    ],
)
def test_a_refusal_is_one_sentence(folder, change, said):
    done = hirescam("recipe.json", "--set", change, "--out", "refused", folder=folder)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (folder / "refused").exists()
