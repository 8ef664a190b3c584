"""Model files: what is written comes back; what does not fit is refused in a sentence."""

import json
import os
import time
from contextlib import contextmanager

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from hirescam.ct.preparation import Preparation
from hirescam.errors import ModelError, WriteError
from hirescam.models.files import load_model, new_model, save_model

PREPARATION = Preparation(spacing_mm=(3, 3, 3), shape=(12, 112, 112), interpolation="linear")
ARGUMENTS = {"widths": (8, 16), "blocks": (1, 1), "neck": (8, 8, 6, 5)}


@pytest.fixture
def model():
    return new_model(
        name="small",
        labels=("lung_nodule", "heart_cabg"),
        preparation=PREPARATION,
        arguments=ARGUMENTS,
        trained_on="nothing",
        notes=("a note",),
    )


@pytest.fixture
def file(model, tmp_path):
    return save_model(model, tmp_path / "small.model")


@contextmanager
def open_card(file):
    with safe_open(file, "pt") as old:
        yield json.loads(old.metadata()["hirescam"])


def rewrite(file, **changes):
    """The same weights under a changed card."""
    with safe_open(file, "pt") as old:
        card = json.loads(old.metadata()["hirescam"]) | changes
    save_file(load_file(file), file, metadata={"hirescam": json.dumps(card)})


def test_a_model_comes_back_as_it_was_saved(model, file):
    loaded = load_model(file)
    assert loaded.card == model.card
    assert len(loaded.sha256) == 64
    x = torch.randn(1, 4, 3, 112, 112, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(loaded.network(x), model.network.eval()(x))


@pytest.mark.skipif(os.name == "nt", reason="no such rights")
def test_a_model_can_be_read_by_whom_other_new_files_can(file):
    other = file.with_name("other")
    other.touch()
    assert file.stat().st_mode == other.stat().st_mode


def test_a_loaded_model_is_ready_for_inference(file):
    network = load_model(file).network
    assert not any(module.training for module in network.modules())
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_no_model_file(tmp_path):
    with pytest.raises(ModelError, match=r"no model file at .*absent"):
        load_model(tmp_path / "absent.model")


def test_a_truncated_file(file):
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ModelError, match="not a whole safetensors file"):
        load_model(file)


def test_weights_without_a_card(file):
    save_file(load_file(file), file)
    with pytest.raises(ModelError, match="holds weights but no hirescam card"):
        load_model(file)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "os.system"}, "architecture 'os.system' is unknown, expected one of"),
        ({"labels": ["a", "b", "c"]}, "the network has labels=2 but .* need labels=3"),
        ({"labels": ["a", "a"]}, "two labels of the model have the same name"),
        ({"format": 3}, "has format 3, .* reads formats 1 and 2: upgrade hirescam"),
        (
            {"preparation": {"mean": "no"}},
            "card of small.model is not valid at preparation.mean",
        ),
        ({"surprise": 1}, "not valid at surprise"),
        (
            {"arguments": {"labels": 2, "side": 112, "channels": 3, "depth": 9}},
            "cannot be built",
        ),
        ({"preparation": {"shape": (12, 96, 96)}}, "side=112 but .* need side=96"),
    ],
)
def test_a_card_that_does_not_fit(file, changes, message):
    rewrite(file, **changes)
    with pytest.raises(ModelError, match=message):
        load_model(file)


def test_a_card_that_asks_for_too_much_memory(file):
    huge = {"labels": 2, "side": 112, "channels": 3, "widths": [10**6, 10**6], "blocks": [1, 1]}
    rewrite(file, arguments=huge)
    with pytest.raises(ModelError, match="over 1,000,000,000 parameters"):
        load_model(file)


def test_weights_of_another_size(file):
    wider = {"labels": 2, "side": 112, "channels": 3} | ARGUMENTS | {"widths": [8, 17]}
    rewrite(file, arguments=wider)
    with pytest.raises(ModelError, match=r"do not fit its card.*size mismatch"):
        load_model(file)


def test_a_model_is_not_written_into_a_file(model, tmp_path):
    (tmp_path / "taken").write_text("a file, not a folder")
    with pytest.raises(WriteError, match=r"cannot write .*small\.model"):
        save_model(model, tmp_path / "taken" / "small.model")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


BOMBS = [
    {"arguments": {**ARGUMENTS, "blocks": [3_000_000, 1]}},
    {"arguments": {**ARGUMENTS, "blocks": [900_000, 900_000]}},
    {"arguments": {**ARGUMENTS, "neck": [8] * 200_000}},
    {"arguments": {**ARGUMENTS, "widths": [10**9, 10**9]}},
    {"arguments": {**ARGUMENTS, "widths": [500_000, 500_000]}},
    {"arguments": {**ARGUMENTS, "padding": 10**18}},
    {"arguments": {f"a{n}": 1 for n in range(100_000)}},
    {"preparation": {"shape": [1e300, 1e300, 1e300]}},
    {"preparation": {"shape": [99_000, 99_000, 99_000]}},
    {"preparation": {"spacing_mm": [1e300, 1, 1]}},
    {"preparation": {"spacing_mm": [1e-300, 1, 1]}},
    {"preparation": {"window_hu": [-1e300, 1e300]}},
    {"preparation": {"group": 10**12}},
    {"labels": ["x" * 100_000, "y"]},
    {"labels": [str(n) for n in range(100_001)]},
]


@pytest.mark.parametrize("change", BOMBS, ids=range(len(BOMBS)))
def test_a_card_that_asks_for_too_much_is_refused_at_once(file, change):
    start = time.process_time()
    with open_card(file) as card:
        inner = {"preparation": card["preparation"] | change.get("preparation", {})}
    rewrite(file, **(change | (inner if "preparation" in change else {})))
    with pytest.raises(ModelError) as refused:
        load_model(file)
    assert time.process_time() - start < 2
    assert len(str(refused.value)) < 1000


def test_a_card_nested_without_end_is_refused(file):
    save_file(load_file(file), file, metadata={"hirescam": "[" * 200_000})
    with pytest.raises(ModelError, match="card"):
        load_model(file)


def test_one_flipped_bit_of_the_weights_is_seen(file):
    content = bytearray(file.read_bytes())
    content[-100] ^= 1
    file.write_bytes(content)
    with pytest.raises(ModelError, match="not those that were written"):
        load_model(file)


def test_a_model_of_before_there_were_checksums_is_read(file):
    with safe_open(file, "pt") as old:
        card = old.metadata()["hirescam"]
    save_file(load_file(file), file, metadata={"hirescam": card})
    assert load_model(file).labels == ("lung_nodule", "heart_cabg")
