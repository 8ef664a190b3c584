"""Changed copies of an image share a batch only where that changes no score."""

import pytest
import torch
from torch import nn

from hirescam.methods import ablationcam, occlusion, scorecam


class Mixing(nn.Module):
    """Scores of an image that also depend on the rest of its batch."""

    def __init__(self, mix):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU())
        self.head = nn.Linear(4, 3)
        self.mix = mix

    def forward(self, x):
        return self.head(self.mix(self.features(x).mean((2, 3))))


MIXES = {
    "mean of the batch": lambda f: f - 0.5 * f.mean(0, keepdim=True),
    "rows before": lambda f: f.cumsum(0),
    "rows after": lambda f: f.flip(0).cumsum(0).flip(0),
    "statistics of the batch": lambda f: (f + f.mean(0)) / (1 + f.std(0, correction=0)),
    "attention over rows": lambda f: (f @ f.T).softmax(1) @ f,
    "one batch size": lambda f: f.reshape(1, 4),
}


@pytest.mark.parametrize("method", [occlusion, scorecam, ablationcam])
@pytest.mark.parametrize("mix", MIXES.values(), ids=MIXES.keys())
def test_maps_are_those_of_copies_run_one_by_one(method, mix, monkeypatch):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network, x = Mixing(mix), torch.randn(1, 1, 8, 8)
    found = method(network, x, layer="features")
    monkeypatch.setattr("hirescam.methods._engine.CHANGED_BYTES", 1)
    torch.testing.assert_close(found, method(network, x, layer="features"))


@pytest.mark.parametrize("method", [occlusion, scorecam, ablationcam])
def test_copies_still_share_a_batch_where_rows_are_independent(method):
    network, x = Mixing(lambda f: f), torch.randn(1, 1, 8, 8)
    rows = []
    network.head.register_forward_hook(lambda *call: rows.append(len(call[2])))
    method(network, x, layer="features")
    assert max(rows) > 4
    assert len(rows) <= 4
