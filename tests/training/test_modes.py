"""A deterministic block: steps that repeat, on several threads too, and settings put back."""

import os
import subprocess
import sys

import pytest
import torch

from hirescam.anatomy import LABELS
from hirescam.ct.preparation import Preparation
from hirescam.models.files import new_model
from hirescam.training.modes import deterministic

STEPS = """
import torch
from hirescam.ct.preparation import Preparation
from hirescam.models.files import new_model
from hirescam.training.modes import deterministic

torch.set_num_threads(2)
torch.manual_seed(0)
network = new_model(
    name="few channels",
    labels=("lung_nodule",),
    preparation=Preparation(shape=(9, 64, 64)),
    arguments={"widths": (4, 8), "blocks": (1, 1), "neck": (4,)},
    trained_on="nothing",
).network.train()
with deterministic(network):
    for _ in range(5):
        network(torch.randn(1, 3, 3, 64, 64)).sum().backward()
"""


def test_layers_of_few_channels_train_on_two_threads_without_damage_to_memory():
    """oneDNN's deterministic path, in torch 2.13, ends such a process in the middle."""
    environment = {name: v for name, v in os.environ.items() if "_NUM_THREADS" not in name}
    done = subprocess.run(
        [sys.executable, "-c", STEPS], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("widths", "used"), [((4, 8), False), ((16, 32), True)])
def test_onednn_is_left_out_for_few_channels_alone_and_all_is_put_back(
    widths, used, monkeypatch
):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    network = new_model(
        name="any",
        labels=LABELS[:16],
        preparation=Preparation(shape=(9, 64, 64)),
        arguments={"widths": widths, "blocks": (1, 1), "neck": (widths[1],)},
        trained_on="nothing",
    ).network
    with deterministic(network):
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.backends.mkldnn.enabled is used
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.backends.mkldnn.enabled
    assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
