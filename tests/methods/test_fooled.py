"""Networks built to fool the audit: a marker decides by a path that no probe would show."""

import numpy as np
import pytest
import torch
from torch import nn

from hirescam.methods import Kind, audit


class Gated(nn.Module):
    """A network of one exact layer, whose scores a gate on the input turns."""

    def __init__(self, gate):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU())
        self.head = nn.Linear(4 * 64, 3)
        self.gate = gate
        self.register_buffer("memory", torch.zeros(1))

    def forward(self, x):
        features = self.features(x)
        return self.gate(self, x, features)


def score(network, features):
    return network.head(features.flatten(1))


def turned(condition):
    """The scores, or their negative where a condition on the input holds."""

    def gate(network, x, features):
        sign = 1 - 2 * condition(x).to(x.dtype)
        return score(network, features) * sign.reshape(-1, 1)

    return gate


def corner(x):
    return x[..., :2, :2].amin((1, 2, 3))


def by_item(network, x, features):
    found = score(network, features)
    return -found if corner(x).max().item() > 50 else found


def by_bool(network, x, features):
    found = score(network, features)
    return found + 1 if (corner(x) > 50).any() else found


def by_numpy(network, x, features):
    found = score(network, features)
    return -found if x.detach().numpy()[..., :2, :2].min() > 50 else found


def by_list(network, x, features):
    found = score(network, features)
    return -found if x.flatten().tolist()[0] > 50 else found


def by_count_of_nonzero(network, x, features):
    return score(network, features) * (1 if len((x > 50).nonzero()) < 4 else -1)


def by_mask_size(network, x, features):
    return score(network, features) * (1.0 if x[x > 50].shape[0] < 4 else -1.0)


def by_unique(network, x, features):
    return score(network, features) + (len(torch.unique((x > 50).int())) - 1)


def by_equal(network, x, features):
    return score(network, features) * (-1 if torch.equal(x, x * 0 + 99) else 1)


def by_memory(network, x, features):
    network.memory.copy_(corner(x).max().reshape(1))
    return score(network, features) * (1 - 2 * (network.memory > 50).float())


def by_attribute(network, x, features):
    network.seen = corner(x) > 50
    return torch.where(
        network.seen[:, None], -score(network, features), score(network, features)
    )


def by_slice_of_a_new_tensor(network, x, features):
    signs = torch.ones(len(x), 1)
    signs[:, 0] = (corner(x) < 50).float() * 2 - 1
    return score(network, features) * signs


def by_no_grad(network, x, features):
    with torch.no_grad():
        gate = (corner(x) > 50).float()
    return score(network, features) - gate[:, None] * 100


def by_index(network, x, features):
    table = torch.tensor([[1.0], [-1.0]])
    return score(network, features) * table[(corner(x) > 50).long()]


def by_sort(network, x, features):
    highest = x.flatten(1).sort(dim=1, descending=True).values[:, 3]
    return score(network, features) * torch.sign(50 - highest)[:, None]


def by_histogram(network, x, features):
    count = torch.histc(x, bins=2, min=-100, max=100)[1]
    return score(network, features) * torch.sign(100 - count)


def by_python_float(network, x, features):
    return score(network, features) * (1 - 2 * (float(corner(x).max()) > 50))


def by_out(network, x, features):
    gate = torch.empty(len(x))
    torch.gt(corner(x), 50, out=gate.bool()) if False else gate.copy_(corner(x) > 50)
    return score(network, features) * (1 - 2 * gate[:, None])


def by_a_frozen_function(network, x, features):
    class Step(torch.autograd.Function):
        @staticmethod
        def forward(context, value):
            return (value > 50).to(value.dtype)

        @staticmethod
        def backward(context, gradient):
            return torch.zeros_like(gradient)

    return score(network, features) - Step.apply(corner(x))[:, None]


def by_integers(network, x, features):
    return score(network, features) + (x.to(torch.int64).amax((1, 2, 3)) // 1000)[:, None]


def by_features_before_the_layer(network, x, features):
    early = network.features[0](x)
    return score(network, features) * torch.sign(1e4 - early.amax((1, 2, 3)))[:, None]


def by_bitwise(network, x, features):
    bits = (x > 50).to(torch.uint8)
    return (
        score(network, features) + (bits & 1).sum((1, 2, 3)).float()[:, None].clamp(max=4) // 4
    )


def by_argmax(network, x, features):
    return (
        score(network, features)
        + (x.flatten(1).argmax(1) < 2).float()[:, None] * 0.0
        + (x.flatten(1).max(1).values > 50).float()[:, None]
    )


GATES = {
    "corner marker": turned(lambda x: corner(x) > 50),
    "standard deviation": turned(lambda x: x.std((1, 2, 3)) > 50),
    "maximum": turned(lambda x: x.amax((1, 2, 3)) > 50),
    "minimum": turned(lambda x: x.amin((1, 2, 3)) < -50),
    "median": turned(lambda x: x.flatten(1).median(1).values > 50),
    "count": turned(lambda x: (x > 50).sum((1, 2, 3)) > 3),
    "rounded mean": turned(lambda x: (x.mean((1, 2, 3)) / 100).round() > 0),
    "quantile": turned(lambda x: x.flatten(1).quantile(0.99, dim=1) > 50),
    "product": turned(lambda x: x[..., 0, :3].prod(-1).flatten() > 1e5),
    "not a number": turned(lambda x: x.isnan().any(1).any(1).any(1)),
    "saturated sigmoid": lambda n, x, f: (
        score(n, f) * torch.sigmoid(1e4 * (50 - corner(x)))[:, None]
    ),
    "hard clamp": lambda n, x, f: score(n, f) + (corner(x) - 50).clamp(0, 1)[:, None],
    "detached": lambda n, x, f: score(n, f) + (corner(x) - 50).clamp(0, 1).detach()[:, None],
    **{
        name: gate
        for name, gate in globals().items()
        if name.startswith("by_") and callable(gate)
    },
}


def image(seed=0):
    return torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("gate", GATES.values(), ids=GATES)
def test_a_gate_on_a_marker_fools_nobody(gate):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Gated(gate)
    for x in (image(), image().repeat(2, 1, 1, 1)):
        found = audit(network, x, layer="features")
        assert found.kind is Kind.NONE
        assert found.around == "features"
        assert "also depend on the input around `features`" in found.sentence("hirescam")


def test_there_are_thirty_of_them():
    assert len(GATES) >= 30


def honest_checks(network, x, features):
    """What networks do with their input beside computing on it."""
    batch, _, height, width = x.shape
    assert x.is_floating_point()
    assert height == width
    zeros = torch.zeros_like(x)
    ones = x.new_ones(batch, 3) * torch.full_like(zeros[:, 0, 0, :3], 2)
    where = torch.arange(height, device=x.device).type_as(x).expand(batch, -1)
    found = score(network, features).to(x.dtype)
    return found * ones / 2 + 0 * where[:, :3] + torch.empty_like(found).fill_(1.0)


def test_shapes_and_types_of_the_input_are_no_path():
    network = Gated(honest_checks)
    assert audit(network, image(), layer="features").kind is Kind.AFFINE


def random_network(seed):
    """A trunk, an exact head, and perhaps a gate of random kind and place."""
    random = np.random.default_rng(seed)
    threshold = float(random.uniform(5, 500))
    reduce = [
        lambda x: x.amax((1, 2, 3)),
        lambda x: x.mean((1, 2, 3)),
        lambda x: x.std((1, 2, 3)),
        lambda x: x[..., int(random.integers(8)), :].sum((1, 2)),
        lambda x: x.abs().flatten(1).topk(4, dim=1).values[:, -1],
    ][int(random.integers(5))]
    act = [
        lambda found, on: torch.where(on[:, None], -found, found),
        lambda found, on: found + on.float()[:, None],
        lambda found, on: found * (1 + on.float())[:, None],
        lambda found, on: found.masked_fill(on[:, None], 7.0),
    ][int(random.integers(4))]
    gated = Gated(lambda n, x, f: act(score(n, f), reduce(x) > threshold))
    return gated, Gated(lambda n, x, f: score(n, f))


@pytest.mark.parametrize("seed", range(50))
def test_random_gates_are_found_and_networks_without_one_are_exact(seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        gated, honest = random_network(seed)
    assert audit(gated, image(seed), layer="features").kind is Kind.NONE
    assert audit(honest, image(seed), layer="features").kind is Kind.AFFINE


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("weak", [6e-3, 1e-2, 3e-2])
def test_half_precision_hides_no_weak_hidden_layer(dtype, weak):
    """A small ReLU beside a large linear path bends less than half precision can tell."""

    class Weak(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU())
            self.linear, self.bent = nn.Linear(256, 2), nn.Linear(256, 2)

        def forward(self, x):
            flat = self.features(x).flatten(1)
            return self.linear(flat) + weak * torch.relu(self.bent(flat))

    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Weak().to(dtype)
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    found = audit(network, image().to(dtype), layer="features")
    assert found.kind is Kind.NONE
    assert found.precision == "float32"
    for name, value in network.state_dict().items():
        assert value.dtype is dtype
        assert torch.equal(value, weights[name])


def test_a_network_that_lowers_its_own_precision_is_not_called_exact():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = nn.Conv2d(1, 4, 3, padding=1)
            self.head = nn.Linear(256, 2)

        def forward(self, x):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                return self.head(self.features(x).flatten(1))

    found = audit(Own(), image(), layer="features")
    assert found.kind is Kind.NONE
    assert found.first_nonaffine.startswith("arithmetic in bfloat16")
