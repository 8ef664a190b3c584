"""A run that is killed and resumed ends with the weights of one that was not."""

import multiprocessing
import os
import random
import signal
import time

import pytest
import torch

from hirescam.atomic import LOCK, MARK
from hirescam.errors import ReadError, WriteError
from hirescam.training import loop
from hirescam.training.checkpoint import Progress, load_state, save_state
from hirescam.training.train import train
from make_cases import small_config, train_in_process, write_cases

KILLS, LOG = 10 if os.environ.get("HIRESCAM_SLOW") else 3, "metrics.jsonl"


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_cases(tmp_path_factory.mktemp("cases"))


@pytest.fixture(scope="module")
def undisturbed(table):
    """The folder of a run without a stop."""
    train(small_config(table), table.parent / "undisturbed")
    return table.parent / "undisturbed"


@pytest.fixture(scope="module")
def processes():
    """New processes that have everything imported already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["hirescam.training.train", "lightning.fabric"])
    return context


def tensors(state):
    if isinstance(state, torch.Tensor):
        yield state
    elif isinstance(state, dict | list | tuple):
        for each in state.values() if isinstance(state, dict) else state:
            yield from tensors(each)


def written(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


def without_seconds(path):
    return [line.partition(', "seconds"')[0] for line in path.read_text().splitlines()]


def assert_same(out, whole):
    """Weights, optimiser, running statistics, position, best model and log agree."""
    mine, expected = load_state(out / "last.checkpoint"), load_state(whole / "last.checkpoint")
    pairs = zip(tensors(mine), tensors(expected), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert mine["progress"] == expected["progress"]
    assert (out / "best.model").read_bytes() == (whole / "best.model").read_bytes()
    assert without_seconds(out / LOG) == without_seconds(whole / LOG)


def test_kills_at_random_moments_change_no_bit(table, undisturbed, processes):
    whole, out = undisturbed, table.parent / "killed"
    chance = random.Random(time.time_ns())
    early = 3 * len(without_seconds(whole / LOG)) // 4  # later, a run may end before its kill
    for lines in sorted(chance.sample(range(early), KILLS)):
        process = processes.Process(target=train_in_process, args=(small_config(table), out))
        process.start()
        while process.is_alive() and written(out / LOG) < lines:
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.05))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    train(small_config(table), out, resume=True)
    assert_same(out, whole)
    assert sorted(path.name for path in out.glob(".*")) == [MARK, LOCK]


def test_a_run_stopped_within_an_epoch_goes_on_in_the_middle_of_it(table, undisturbed):
    class Stop(Exception):
        pass

    seen = []

    def stop(name, done, of):
        if name == "scans of this epoch":
            seen.append(done)
            if len(seen) == 5 + 3:
                raise Stop

    out = table.parent / "stopped"
    with pytest.raises(Stop):
        train(small_config(table), out, on_progress=stop)
    assert load_state(out / "last.checkpoint")["progress"]["scans"] == 1
    train(small_config(table), out, resume=True)
    assert_same(out, undisturbed)


@pytest.mark.parametrize("moment", ["validate", "save_model"])
def test_a_run_stopped_in_validation_or_after_it_repeats_no_step_and_no_row(
    table, undisturbed, monkeypatch, moment
):
    """The epoch's row is in the log already when its best model is saved."""

    def stop(*arguments):
        raise KeyboardInterrupt

    out = table.parent / f"stopped-{moment}"
    with monkeypatch.context() as patched:
        patched.setattr(loop, moment, stop)
        with pytest.raises(KeyboardInterrupt):
            train(small_config(table), out)
    assert load_state(out / "last.checkpoint")["progress"]["scans"] == 5
    train(small_config(table), out, resume=True)
    assert_same(out, undisturbed)


def test_patience_counts_across_a_stop(table):
    config = small_config(table, patience=1, epochs=9, learning_rate=0.5)
    train(config, table.parent / "patient")
    epochs = load_state(table.parent / "patient" / "last.checkpoint")["progress"]["epoch"]
    assert epochs < 9
    train(config, table.parent / "patient", resume=True)
    again = load_state(table.parent / "patient" / "last.checkpoint")["progress"]["epoch"]
    assert again == epochs


def test_a_run_is_not_overwritten(table, undisturbed):
    with pytest.raises(WriteError, match="go on with it by --resume"):
        train(small_config(table), undisturbed)


def test_another_config_is_not_resumed(table, undisturbed):
    with pytest.raises(WriteError, match="another config, with other learning_rate: resume"):
        train(small_config(table, learning_rate=0.5), undisturbed, resume=True)


def test_a_run_may_be_prolonged(table, undisturbed):
    out = table.parent / "prolonged"
    train(small_config(table, epochs=2), out)
    train(small_config(table), out, resume=True)
    assert_same(out, undisturbed)


def test_a_state_is_read_back_as_it_was(tmp_path):
    state = {
        "network": {"weight": torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last)},
        "optimiser": {"state": {0: {"step": torch.tensor(3.0)}}, "groups": [{"betas": (1, 2)}]},
        "progress": vars(Progress()),
        "empty": None,
    }
    back = load_state(save_state(state, tmp_path / "state"))
    assert torch.equal(back["network"]["weight"], state["network"]["weight"])
    assert torch.equal(back["optimiser"]["state"][0]["step"], torch.tensor(3.0))
    assert back["optimiser"]["groups"] == [{"betas": (1, 2)}]
    assert Progress(**back["progress"]) == Progress()
    assert back["empty"] is None


def test_what_no_file_can_hold_is_refused(tmp_path):
    with pytest.raises(TypeError, match="/made is a set"):
        save_state({"made": {1, 2}}, tmp_path / "state")


def test_a_damaged_checkpoint_is_refused(tmp_path):
    whole = save_state({"weight": torch.ones(9)}, tmp_path / "state")
    (tmp_path / "half").write_bytes(whole.read_bytes()[:-20])
    with pytest.raises(ReadError, match="half is no checkpoint"):
        load_state(tmp_path / "half")


def files_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def home_like(folder):
    """Fill a folder as of somebody's work; its files by name."""
    names = (".git/config", ".ssh/id_ed25519", ".venv/pyvenv.cfg", ".netrc", "thesis.tex")
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return {name: name.encode() for name in names}


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_of_somebody_else_is_refused_and_untouched(table, tmp_path, resume):
    before = home_like(tmp_path)
    with pytest.raises(WriteError, match="not ours"):
        train(small_config(table), tmp_path, resume=resume)
    assert files_of(tmp_path) == before


def test_what_lies_in_a_run_folder_beside_the_run_outlives_its_resumption(table, tmp_path):
    out = tmp_path / "run"
    train(small_config(table, epochs=1), out)
    before = home_like(out)
    train(small_config(table, epochs=1), out, resume=True)
    with pytest.raises(WriteError, match="another config"):
        train(small_config(table, epochs=1, seed=5), out, resume=True)
    assert before.items() <= files_of(out).items()


def test_one_flipped_bit_of_a_checkpoint_does_not_resume(table, tmp_path):
    train(small_config(table, epochs=1), tmp_path / "run")
    path = tmp_path / "run" / "last.checkpoint"
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    with pytest.raises(ReadError, match="not those that were written"):
        train(small_config(table, epochs=1), tmp_path / "run", resume=True)


def test_a_second_run_on_the_same_folder_is_refused_while_one_is_at_work(table, tmp_path):
    said = []

    def begin_another(name, done, of):
        if name == "scans of this epoch" and not said:
            with pytest.raises(WriteError, match="another process is at work") as refused:
                train(small_config(table, epochs=1), tmp_path / "run", resume=True)
            said.append(refused)

    train(small_config(table, epochs=1), tmp_path / "run", on_progress=begin_another)
    assert said
