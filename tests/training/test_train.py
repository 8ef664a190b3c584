"""Training from end to end: what it learns, leaves and refuses."""

import csv
import json
import sys

import numpy as np
import pytest
import torch

import hirescam
from hirescam.errors import HirescamError, MissingPackageError
from hirescam.training.config import TrainConfig
from hirescam.training.loop import defined_aurocs
from hirescam.training.train import train
from make_cases import LABELS, chest, small_config, write_cases


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_cases(tmp_path_factory.mktemp("cases"), train=8, valid=4)


def epochs(out):
    with (out / "epochs.csv").open(newline="") as file:
        return [
            {name: float(value) for name, value in row.items()} for row in csv.DictReader(file)
        ]


@pytest.fixture(scope="module")
def learnt(table):
    config = small_config(
        table, epochs=8, optimiser="adamw", start="few-scans", augmentation="none"
    )
    return train(config, table.parent / "learnt"), table.parent / "learnt"


def test_bright_blocks_are_learnt_and_the_model_can_be_used(learnt):
    model, out = learnt
    rows = epochs(out)
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]
    assert max(row["valid_median_auroc"] for row in rows) == 1
    found = hirescam.explain(hirescam.load_model(out / "best.model"), chest(50, (1, 0)))
    assert found.probabilities["lung_nodule"] > found.probabilities["heart_cardiomegaly"]
    assert model.labels == LABELS


def test_the_best_model_is_of_the_epoch_with_the_lowest_validation_loss(learnt):
    model, out = learnt
    losses = [row["valid_loss"] for row in epochs(out)]
    assert model.card.notes[-1].startswith(f"Epoch {int(np.argmin(losses)) + 1}: ")
    assert model.card.trained_on == "8 scans, layout csv"


def test_a_run_folder_says_what_made_it_and_names_no_scan(learnt):
    _, out = learnt
    made = json.loads((out / "made_with.json").read_text())
    assert made["packages"]["torch"] == torch.__version__
    assert made["splits"]["train"]["scans"] == 8
    for path in out.iterdir():
        assert b"scan-0" not in path.read_bytes(), path.name


def test_the_config_of_a_run_repeats_it(table, learnt):
    _, out = learnt
    config = TrainConfig.read(out / "config.json")
    train(config, table.parent / "again")
    assert (table.parent / "again" / "best.model").read_bytes() == (
        out / "best.model"
    ).read_bytes()


def test_a_run_can_start_from_a_model_of_the_same_kind_only(table, learnt):
    _, out = learnt
    start = {"start": "model", "start_model": out / "best.model"}
    gentle = {"learning_rate": 1e-12, "optimiser": "adamw", "augmentation": "none"}
    train(small_config(table, epochs=1, **gentle, **start), table.parent / "on")
    assert epochs(table.parent / "on")[0]["valid_loss"] == pytest.approx(
        min(row["valid_loss"] for row in epochs(out)), rel=0.1
    )
    other = small_config(table, labels=LABELS[:1], **start)
    with pytest.raises(HirescamError, match="is another AxialNet, or has other labels"):
        train(other, table.parent / "other")
    with pytest.raises(ValueError, match="start_model = FILE go together"):
        small_config(table, start="model")


def test_other_maps_losses_and_precisions_train_too(table):
    for number, changes in enumerate(
        (
            {"maps": "gradcam"},
            {"mask_loss": "anatomy", "precision": "bf16", "save_memory": True},
            {"mask_loss": None, "positive_weights": True, "accumulate": 3},
        )
    ):
        out = table.parent / f"other-{number}"
        train(small_config(table, epochs=1, **changes), out)
        assert np.isfinite(epochs(out)[0]["valid_loss"])


def test_tensorboard_gets_the_numbers_of_the_log(table):
    out = table.parent / "board"
    train(small_config(table, epochs=1, tensorboard=True), out)
    assert list((out / "tensorboard").glob("events.*"))


def test_fp16_on_a_processor_is_refused(table, tmp_path):
    with pytest.raises(HirescamError, match="fp16 needs a graphics card"):
        train(small_config(table, precision="fp16"), tmp_path / "run")


def test_without_lightning_the_cure_is_named(table, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightning.fabric", None)
    with pytest.raises(MissingPackageError, match=r'pip install "hirescam\[train\]"'):
        train(small_config(table), tmp_path / "run")


def test_a_loss_that_is_no_number_stops_the_run(table, tmp_path):
    with pytest.raises(HirescamError, match="lower learning_rate"):
        train(small_config(table, learning_rate=1e30), tmp_path / "run")


def test_the_median_auroc_passes_over_labels_that_are_undefined():
    labels = np.array([[0, 1, np.nan], [1, 1, 0], [1, 1, 1]], np.float32)
    scores = np.array([[0.1, 0.5, 0.9], [0.2, 0.5, 0.8], [0.3, 0.5, 0.1]], np.float32)
    assert np.median(defined_aurocs(labels, scores)) == 0.5
    assert defined_aurocs(labels[:, 1:2], scores[:, 1:2]) == []


def test_the_notes_say_on_how_many_scans_and_labels_an_auroc_rests(learnt):
    model, out = learnt
    assert "on 4 validation scans" in model.card.notes[-1]
    assert "of the 2 labels that are both present and absent" in model.card.notes[-1]
    assert epochs(out)[0]["valid_scans"] == 4


def test_without_such_labels_no_auroc_is_told(tmp_path):
    table = write_cases(tmp_path / "cases", train=2, valid=1)
    model = train(small_config(table, epochs=1), tmp_path / "run")
    assert "none has an AUROC" in model.card.notes[-1]
    assert "nan" not in (tmp_path / "run" / "epochs.csv").read_text()
    assert "NaN" not in (tmp_path / "run" / "metrics.jsonl").read_text()
