"""Several processes do what one does."""

import json

import pytest
import torch

from hirescam.models.files import load_model
from hirescam.training import assemble
from hirescam.training.checkpoint import load_state
from hirescam.training.datasets.read import read_cases
from hirescam.training.loader import PreparedScans, loading
from hirescam.training.loop import sample_losses
from hirescam.training.objective import Objective
from hirescam.training.prepared import grid_of, prepare_all
from hirescam.training.sampler import SamplerItem
from hirescam.training.train import train
from make_cases import small_config, write_cases

CPU = torch.device("cpu")


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
    assert validation_loss(together) == pytest.approx(mean_loss(table, together), rel=1e-4)


def validation_loss(out):
    """As the two processes measured it."""
    return json.loads((out / "metrics.jsonl").read_text().splitlines()[-1])["valid_loss"]


def mean_loss(table, out):
    """As one process measures it of the model that they left."""
    cases, model = read_cases(small_config(table)), load_model(out / "best.model")
    grid = assemble.grid(small_config(table), model)
    valid = cases.splits["valid"]
    files = prepare_all(valid, grid, table.parent / "cache", with_organs=True)
    scans = PreparedScans(valid, files, grid, cases.anatomy)
    objective = Objective(model.network, mask_loss="published")
    with (
        torch.no_grad(),
        loading(scans, map(SamplerItem, range(len(valid))), device=CPU) as samples,
    ):
        each = [sample_losses(objective, sample).total for sample in samples]
    return torch.stack(each).mean().item()


def test_several_processes_prepare_the_same_files(table, tmp_path):
    cases = read_cases(small_config(table))
    grid = grid_of(assemble.initial_model(small_config(table), cases))
    one = prepare_all(cases.splits["train"], grid, tmp_path / "one", with_organs=True)
    two = prepare_all(cases.splits["train"], grid, tmp_path / "two", with_organs=True, jobs=2)
    for a, b in zip(one, two, strict=True):
        assert (a.voxels.name, a.organs.name) == (b.voxels.name, b.organs.name)
        assert a.voxels.read_bytes() == b.voxels.read_bytes()
