import copy

import pytest
import torch
from torch import nn

from hirescam.methods import hirescam
from hirescam.metrics import spearman, weight_randomisation
from make_networks import NETWORKS, built

ORDERS = ("cascading", "independent")


def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)
        ).eval()


X = torch.randn(2, 1, 6, 6, generator=torch.Generator().manual_seed(0))


def watch(seen):
    """An explanation that also notes which layers differ from the learned ones."""
    learned = network().state_dict()

    def explain(subject):
        now = subject.state_dict()
        seen.append({name.split(".")[0] for name in now if not now[name].equal(learned[name])})
        return hirescam(subject, X, layer="2")

    return explain


def test_cascading_randomises_every_layer_from_the_top_on():
    seen = []
    found = weight_randomisation(network(), watch(seen), order="cascading")
    assert list(found) == ["4", "1", "0"]
    assert seen == [set(), {"4"}, {"4", "1"}, {"4", "1", "0"}]


def test_independent_randomises_one_layer_at_a_time():
    seen = []
    weight_randomisation(network(), watch(seen), order="independent")
    assert seen == [set(), {"4"}, {"1"}, {"0"}]


@pytest.mark.parametrize("order", ORDERS)
def test_the_network_and_the_global_seed_are_untouched(order):
    subject = network()
    before, random = copy.deepcopy(subject.state_dict()), torch.get_rng_state()
    weight_randomisation(subject, watch([]), order=order)
    assert all(before[name].equal(value) for name, value in subject.state_dict().items())
    assert torch.equal(random, torch.get_rng_state())


@pytest.mark.parametrize("order", ORDERS)
def test_the_same_seed_gives_the_same_table_and_another_seed_another(order):
    def table(seed):
        found = weight_randomisation(network(), watch([]), order=order, seed=seed)
        return torch.stack(list(found.values()))

    assert table(0).equal(table(0))
    assert not table(0).equal(table(1))


@pytest.mark.parametrize("build", NETWORKS, ids=lambda build: build.__name__)
def test_hirescam_maps_change_and_a_map_of_the_input_does_not(build):
    subject, _, x = built(build)
    of_weights = weight_randomisation(subject, lambda it: hirescam(it, x, layer="1"))
    of_input = weight_randomisation(subject, lambda _: x.expand(-1, 3, *x.shape[2:]))
    assert list(of_weights.values())[-1].mean() < 0.9
    for found in of_input.values():
        torch.testing.assert_close(found, torch.ones_like(found))


def test_the_table_is_the_likeness_asked_for():
    fixed = torch.full((2, 3), 0.25)
    found = weight_randomisation(network(), watch([]), alike=lambda *_: fixed)
    assert all(value is fixed for value in found.values())


def test_a_layer_of_one_weight_changes_too():
    single = nn.Sequential(nn.Conv1d(1, 1, 1, bias=False))
    learned = single[0].weight.item()
    seen = []

    def explain(subject):
        seen.append(subject[0].weight.item())
        return torch.ones(1, 1, 3)

    weight_randomisation(single, explain, alike=spearman)
    assert seen[0] == learned != seen[1]
