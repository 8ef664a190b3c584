"""The default model: its command makes it whole, resumes it, and it is exact."""

import numpy as np
import torch

import hirescam
from hirescam.experiments import default_model
from hirescam.experiments.default_model import Scale, chests, measure, run, untrained
from hirescam.methods import Kind
from hirescam.models.files import load_model

SMALL = Scale(training=4, test=3, whole_steps=1, part_steps=2)


def test_its_command_makes_a_model_that_explains_exactly(tmp_path):
    table = run(tmp_path / "data", tmp_path, scale=SMALL)
    model = load_model(tmp_path / "default.model")
    assert [row["label"] for row in table.rows] == list(model.labels)
    assert (tmp_path / "default.model").stat().st_size < 2_000_000
    assert model.card.notes[0] == default_model.ONLY_SIMULATED
    assert len(model.card.notes) == 1 + len(model.labels)
    found = hirescam.explain(model, hirescam.simulate(5, spacing_mm=(3.0, 3.2, 3.2)).volume)
    for label, guarantee in found.guarantees.items():
        assert guarantee.kind is Kind.CAM
        offset = float(model.network.head.bias[model.labels.index(label)])
        total = float(found.maps[label].sum())
        np.testing.assert_allclose(total, found.scores[label] - offset, rtol=1e-4, atol=1e-4)


def test_a_stopped_training_goes_on_to_the_same_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(default_model, "_CHECKPOINT_EVERY", 2)
    data = chests(tmp_path, 7, 3, 1, lambda *told: None)
    whole, parts = untrained("x"), untrained("x")

    def stop_after(step):
        def progress(name, done, of):
            if done == step:
                raise KeyboardInterrupt

        return progress

    ignore = lambda *told: None  # noqa: E731 (one line says it)
    default_model.fit(whole, data, SMALL, tmp_path / "whole.safetensors", ignore)
    try:
        default_model.fit(parts, data, SMALL, tmp_path / "a.safetensors", stop_after(3))
    except KeyboardInterrupt:
        parts = untrained("x")
    default_model.fit(parts, data, SMALL, tmp_path / "a.safetensors", ignore)
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, parts.network.state_dict()[name]), name


def test_a_peak_is_near_where_the_lesion_or_the_cell_beside_it_is(monkeypatch):
    model = untrained("x")
    states = np.zeros((4, 6, *model.network.map_shape(36)), np.int8)
    states[:, 0, 10, 10, 8:13] = [-1, -1, 1, -1, -1]
    places = [10, 11, 20, 10]  # in it, beside it, elsewhere, in it
    labels = np.zeros((4, 6), bool)
    labels[:3, 0] = True
    peaks = iter(places)

    def logits(network, voxels):
        found = torch.full(states.shape[1:], -5.0)
        found[0, 10, 10, next(peaks)] = 3.0
        return found

    monkeypatch.setattr(default_model, "cell_logits", logits)
    data = default_model.LesionChests(np.zeros((4, 1, 1, 1), np.int16), labels, states)
    row = measure(model, data)[0]
    assert row["present"] == 3
    np.testing.assert_allclose([row["peak_in_lesion"], row["peak_near"]], [1 / 3, 2 / 3])
