"""A run that a scheduler stops by a signal keeps what it did, and goes on from there."""

import os
import signal
import threading

import pytest
import torch

from hirescam.errors import HirescamError
from hirescam.training.resume import load_state
from hirescam.training.stop import HEARD, hearing_signals
from hirescam.training.train import train
from make_cases import small_config, write_cases


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_cases(tmp_path_factory.mktemp("cases"))


@pytest.mark.parametrize("number", HEARD, ids=lambda each: each.name)
def test_a_signal_is_heard_and_afterwards_acts_as_before(number):
    before = signal.getsignal(number)
    with hearing_signals() as told:
        assert not told()
        signal.raise_signal(number)
        assert told()
    assert signal.getsignal(number) == before


def test_a_thread_that_cannot_hear_is_told_of_none():
    told = []

    def listen():
        with hearing_signals() as each:
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

    with pytest.raises(HirescamError, match=r"told to stop .* go on with --resume"):
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
