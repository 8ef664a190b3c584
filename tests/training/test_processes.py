"""Several processes do what one does."""

import json

import numpy as np
import pytest
import torch

from hirescam.training import assemble
from hirescam.training.datasets.read import read_cases
from hirescam.training.prepared import grid_of, prepare_all
from hirescam.training.resume import load_state
from hirescam.training.train import train
from make_cases import small_config, write_cases


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_cases(tmp_path_factory.mktemp("cases"), train=5, valid=3)


def weights(out):
    return load_state(out / "last.checkpoint")["network"]


def losses(out):
    rows = map(json.loads, (out / "metrics.jsonl").read_text().splitlines())
    return [row["loss"] for row in rows if row["kind"] == "step"]


def test_two_processes_take_the_steps_of_one_that_accumulates(table):
    """Same weights and losses; running statistics are those of the first process's scans."""
    alone, together = table.parent / "alone", table.parent / "together"
    shared = {"epochs": 1, "augmentation": "published", "momentum": 0.5}
    train(small_config(table, accumulate=2, workers=1, **shared), alone)
    train(small_config(table, processes=2, launch="spawn", **shared), together)
    one, two = weights(alone), weights(together)
    for name, value in one.items():
        if "running" not in name and "tracked" not in name:
            torch.testing.assert_close(two[name], value, rtol=1e-4, atol=1e-6)
    assert len(losses(alone)) == 3
    assert losses(together) == pytest.approx(losses(alone), rel=1e-5)


def test_several_processes_prepare_the_same_files(table, tmp_path):
    cases = read_cases(small_config(table))
    grid = grid_of(assemble.fresh_model(small_config(table), cases))
    one = prepare_all(cases.splits["train"], grid, tmp_path / "one", with_organs=True)
    two = prepare_all(cases.splits["train"], grid, tmp_path / "two", with_organs=True, jobs=2)
    for a, b in zip(one, two, strict=True):
        assert (a.voxels.name, a.organs.name) == (b.voxels.name, b.organs.name)
        np.testing.assert_array_equal(np.load(a.voxels), np.load(b.voxels))
