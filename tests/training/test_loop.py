"""A run that a scheduler stops by a signal keeps what it did, and goes on from there."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
import torch

from hirescam.errors import HirescamError
from hirescam.training.checkpoint import load_state
from hirescam.training.loop import HEARD, on_stop_signal
from hirescam.training.train import train
from make_cases import small_config, write_cases


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_cases(tmp_path_factory.mktemp("cases"))


@pytest.mark.parametrize("number", HEARD, ids=lambda each: each.name)
def test_a_signal_is_heard_and_afterwards_acts_as_before(number):
    before = signal.getsignal(number)
    with on_stop_signal() as told:
        assert not told()
        signal.raise_signal(number)
        assert told()
    assert signal.getsignal(number) == before


def test_a_thread_that_cannot_hear_is_told_of_none():
    told = []

    def listen():
        with on_stop_signal() as each:
            told.append(each())

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert told == [False]


@pytest.mark.parametrize("moment", ["scans of this epoch", "epochs"])
def test_a_run_that_is_told_to_stop_keeps_its_last_step_and_goes_on(table, tmp_path, moment):
    """In the middle of an epoch, and between one and the next."""
    config = small_config(table, checkpoint_every_steps=1000)
    train(config, tmp_path / "undisturbed")

    def on_progress(name, done, of):
        if (name, done) == (moment, 2):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(HirescamError, match=r"stopped by a signal .* go on with --resume"):
        train(config, tmp_path / "stopped", on_progress=on_progress)
    state = load_state(tmp_path / "stopped" / "last.checkpoint")["progress"]
    assert state["scans"] == {"scans of this epoch": 3, "epochs": 1}[moment]
    train(config, tmp_path / "stopped", resume=True)
    ends = [
        load_state(tmp_path / run / "last.checkpoint") for run in ("stopped", "undisturbed")
    ]
    for name, value in ends[0]["network"].items():
        assert torch.equal(value, ends[1]["network"][name])
    assert (tmp_path / "stopped" / "best.model").read_bytes() == (
        tmp_path / "undisturbed" / "best.model"
    ).read_bytes()


SLURM = {
    "SLURM_JOB_ID": "77",
    "SLURM_JOB_NAME": "train",
    "SLURM_NTASKS": "2",
    "SLURM_NTASKS_PER_NODE": "1",
    "SLURM_NNODES": "2",
    "SLURM_NODELIST": "127.0.0.1",
    "SLURM_LOCALID": "0",
}


@pytest.mark.skipif(
    "HIRESCAM_SLOW" not in os.environ, reason="set HIRESCAM_SLOW: takes a minute"
)
def test_two_nodes_stop_after_the_same_step_if_one_is_told_and_one_goes_on_alone(
    table, tmp_path
):
    """As SLURM starts them; the second node alone hears the signal."""
    config = small_config(table, nodes=2, epochs=10_000, patience=10_000)
    recipe, out = tmp_path / "recipe.json", tmp_path / "run"
    recipe.write_text(json.dumps(config.model_dump(mode="json", exclude_defaults=True)))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    nodes = []
    for rank in ("0", "1"):
        own = {"SLURM_PROCID": rank, "SLURM_NODEID": rank, "MASTER_PORT": str(port)}
        command = [sys.executable, "-m", "hirescam", "train", str(recipe), "--out", str(out)]
        nodes.append(
            subprocess.Popen(
                command, env=os.environ | SLURM | own, stderr=subprocess.PIPE, text=True
            )
        )
    log = out / "metrics.jsonl"
    while not (log.exists() and log.read_text().count("step") > 20):
        assert all(node.poll() is None for node in nodes)
        time.sleep(0.1)
    nodes[1].send_signal(signal.SIGUSR1)
    told = [node.communicate(timeout=60)[1] for node in nodes]
    assert [node.returncode for node in nodes] == [1, 1]
    steps = {line for each in told for line in each.splitlines() if "stopped by a sig" in line}
    assert len(steps) == 1
    epochs = load_state(out / "last.checkpoint")["progress"]["epoch"] + 1
    alone = config.model_copy(update={"nodes": 1, "accumulate": 2, "epochs": epochs})
    train(alone, out, resume=True)
    assert load_state(out / "last.checkpoint")["progress"]["epoch"] == epochs
