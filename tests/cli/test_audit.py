"""`hirescam audit` on networks of a user's own code."""

import json
import sys

import numpy as np
import pytest

from hirescam.cli.main import main

CODE = """
import torch
from torch import nn

def features():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU())

def exact():
    return nn.Sequential(features(), nn.Flatten(), nn.Linear(64, 2)), torch.ones(1, 1, 6, 6)

def deep():
    head = nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 2))
    return nn.Sequential(features(), nn.Flatten(), head), torch.ones(1, 1, 6, 6)

def alone():
    return exact()[0]

def nonsense():
    return exact()[0], "an image"
"""


@pytest.fixture
def audit(tmp_path, monkeypatch, capsys):
    """What the command prints about a function of a module in the current folder."""
    (tmp_path / "users_code.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "users_code", raising=False)

    def run(function, *options):
        with pytest.raises(SystemExit) as end:
            main(["audit", f"users_code:{function}", *options])
        if end.value.code:
            raise AssertionError(end.value.code)
        return capsys.readouterr().out

    yield run
    sys.modules.pop("users_code", None)


def test_an_exact_network_is_said_to_be_exact(audit):
    printed = audit("exact")
    assert printed.startswith("layer 0: exact for HiResCAM\n")
    assert "Guaranteed" in printed


def test_what_breaks_the_guarantee_is_named_with_the_cure(audit):
    printed = audit("deep")
    assert "layer 0: not guaranteed" in printed
    assert "ReLU `2.1` between `2.0` and `2.2`" in printed
    assert "one fully connected layer" in printed


def test_json_holds_verdict_layer_culprit_and_suggestion(audit):
    found = json.loads(audit("deep", "--json"))
    assert found["layer"] == "0"
    assert found["kind"] == "not guaranteed"
    assert found["first_nonaffine"].startswith("ReLU `2.1`")
    assert "one fully connected layer" in found["suggestion"]


def test_an_exact_network_has_nothing_to_suggest_in_json(audit):
    found = json.loads(audit("exact", "--json"))
    assert found["first_nonaffine"] is found["suggestion"] is None


def test_an_input_may_come_from_a_file(audit, tmp_path):
    np.save(tmp_path / "image.npy", np.ones((1, 1, 6, 6), np.float32))
    assert "layer 0: exact" in audit("alone", "--input", "image.npy")


def test_a_network_without_an_input_is_told_how_to_give_one(audit):
    with pytest.raises(AssertionError, match=r"return \(network, example_input\), or give"):
        audit("alone")


def test_a_function_that_returns_something_else_is_told_so(audit):
    with pytest.raises(AssertionError, match="returns a Sequential and a str, expected"):
        audit("nonsense")
