"""Which layer is explained, and that explaining it leaves no trace, however a network runs."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from hirescam.errors import LayerError, ShapeError
from hirescam.methods import hirescam
from hirescam.methods._engine import capture, find_layer, layer_name
from make_networks import affine_head_2d, built


@pytest.fixture
def case():
    return built(affine_head_2d)


class Below(nn.Module):
    """Features of a given kind of output under a linear head."""

    def __init__(self, features):
        super().__init__()
        self.features = features
        self.fc = nn.Linear(36, 2)

    def forward(self, x):
        found = self.features(x)
        return self.fc((found[0] if isinstance(found, tuple) else found).flatten(1))


def compiled(network):
    return torch.compile(network, backend="eager")


class Pair(nn.Module):
    def forward(self, x):
        return x, x


def test_finding_the_layer_runs_no_arithmetic(case):
    network, layer, x = case
    seen = []
    network[0].register_forward_hook(lambda *call: seen.append(call[2].device.type))
    assert find_layer(network, x) is layer
    assert not seen


def test_a_network_that_needs_numbers_is_run_to_find_its_layer():
    class Counting(nn.Module):
        def forward(self, x):
            return x * float(x.sum() > -1e9)

    network = Below(nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), Counting()))
    assert layer_name(network, find_layer(network, torch.ones(1, 1, 6, 6))) == "features"


def test_a_layer_that_returns_a_tuple_is_refused():
    with pytest.raises(LayerError, match=r"'features' returns a tuple, expected one tensor"):
        capture(Below(Pair()), torch.ones(1, 1, 6, 6), layer="features")


def test_a_layer_that_is_never_called_is_refused(case):
    network, _, x = case
    network[0].spare = nn.Conv2d(1, 1, 1)
    with pytest.raises(LayerError, match="ran 0 times"):
        capture(network, x, layer="0.spare")


def test_a_layer_with_slices_as_rows_is_refused():
    class Slices(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 3, padding=1)

        def forward(self, x):
            return self.conv(x.flatten(0, 1)).flatten(1).mean(0, keepdim=True)

    with pytest.raises(LayerError, match="returns 5 rows for 1 rows of scores"):
        capture(Slices(), torch.ones(1, 5, 1, 6, 6), layer="conv")


class Axes(nn.Module):
    """Another order of axes."""

    def __init__(self, *order):
        super().__init__()
        self.order = order

    def forward(self, x):
        return x.permute(*self.order)


TOKENS = (nn.Conv2d(1, 8, 3), nn.Flatten(2), Axes(0, 2, 1), nn.LayerNorm(8))
CHANNELS_LAST = (nn.Conv2d(1, 8, 3), Axes(0, 2, 3, 1), nn.Linear(8, 5))


@pytest.mark.parametrize("layers", [TOKENS, CHANNELS_LAST], ids=["tokens", "channels last"])
def test_a_layer_with_its_channels_last_is_refused(layers):
    network = nn.Sequential(nn.Sequential(*layers), nn.Flatten(), nn.LazyLinear(3))
    x = torch.ones(1, 1, 6, 6)
    network(x)
    for layer in (None, "0", f"0.{len(layers) - 1}"):
        with pytest.raises(LayerError, match="last axis seems to be its channels"):
            capture(network, x, layer=layer)


def test_a_layer_that_brings_its_channels_back_is_explained():
    network = nn.Sequential(
        nn.Sequential(*CHANNELS_LAST, Axes(0, 3, 1, 2)), nn.Flatten(), nn.Linear(5 * 16, 3)
    )
    assert hirescam(network, torch.ones(1, 1, 6, 6), layer="0").shape == (1, 3, 4, 4)


def test_scores_whose_gradient_leads_elsewhere_are_refused():
    class Scaled(Below):
        def __init__(self, features):
            super().__init__(features)
            self.scale = torch.ones(2, requires_grad=True)  # no parameter, so not frozen

        def forward(self, x):
            return super().forward(x).detach() * self.scale

    with pytest.raises(LayerError, match="no gradient leads from the scores to the layer"):
        hirescam(Scaled(nn.Conv2d(1, 1, 3, padding=1)), torch.ones(1, 1, 6, 6))


@pytest.mark.filterwarnings("ignore:.*torch.jit.script")
def test_torchscript_is_refused_for_its_calls_cannot_be_seen(case):
    network, _, x = case
    scripted = torch.jit.script(network)
    for whole in (scripted, nn.Sequential(scripted)):
        with pytest.raises(LayerError, match="is TorchScript"):
            hirescam(whole, x)


def test_an_empty_batch_is_refused(case):
    network, _, x = case
    with pytest.raises(ShapeError, match=r"\(0, 1, .* holds nothing to explain"):
        hirescam(network, x[:0])


def test_weights_without_gradients_are_refused():
    with torch.inference_mode():
        network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(32, 3))
    with pytest.raises(LayerError, match="have no gradients"):
        hirescam(network, torch.ones(1, 1, 6, 6))


def test_a_checkpointed_head_is_run_again_as_it_was_explained():
    class Checkpointed(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = nn.Conv2d(1, 4, 3)
            self.head = nn.Sequential(
                nn.BatchNorm2d(4), nn.Dropout(), nn.Flatten(), nn.Linear(64, 3)
            )

        def forward(self, x):
            return checkpoint(self.head, self.features(x), use_reentrant=False)

    network, x = Checkpointed(), torch.rand(2, 1, 6, 6)
    network.head[0].running_mean += 1
    plain = nn.Sequential(network.features, network.head)
    found = hirescam(network.train(), x, layer="features")
    torch.testing.assert_close(found, hirescam(plain, x, layer="0"))
    assert network.head.training


@pytest.mark.parametrize("name", ["1", "_orig_mod.1", "module.1", None])
@pytest.mark.parametrize("wrap", [compiled, nn.DataParallel])
def test_wrapped_networks_are_explained_inside(case, wrap, name):
    network, layer, x = case
    expected = hirescam(network, x, layer=layer)
    torch.testing.assert_close(hirescam(wrap(network), x, layer=name), expected)
    assert layer_name(wrap(network), layer) == "1"


def test_a_layer_inside_compiled_code_is_explained(case):
    network, layer, x = case
    expected = hirescam(network, x, layer=layer)
    whole = nn.Sequential(compiled(network[:2]), *network[2:])
    whole(x)
    torch.testing.assert_close(hirescam(whole, x, layer="0.1"), expected)


def test_buffers_and_random_numbers_are_given_back():
    class Restless(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("count", torch.zeros(()))
            self.register_buffer("last", torch.zeros(()))

        def forward(self, x):
            self.count += 1
            self.last = x.mean() + torch.rand(())
            return x

    network = Below(nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.BatchNorm2d(1), Restless()))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = torch.get_rng_state()
    hirescam(network, torch.ones(2, 1, 6, 6), layer="features.1")
    torch.testing.assert_close(dict(network.state_dict()), before)
    assert torch.equal(torch.get_rng_state(), state)


def test_threads_explain_one_network_in_training_and_leave_it_so():
    network, layer, x = built(affine_head_2d)
    network = nn.Sequential(network[:2], nn.BatchNorm2d(4), *network[2:]).train()
    expected = hirescam(network, x, layer=layer)
    with ThreadPoolExecutor(4) as threads:
        found = threads.map(lambda _: hirescam(network, x, layer=layer), range(40))
        assert all(torch.allclose(maps, expected) for maps in found)
    assert all(module.training for module in network.modules())


def test_an_explanation_inside_a_hook_of_another_changes_neither(case):
    network, layer, x = case
    expected = hirescam(network, x, layer=layer)
    inner = []

    def explain_too(*_):
        if not inner:
            inner.append(None)
            inner[0] = hirescam(network, x, layer=layer)

    with network[0].register_forward_hook(explain_too):
        torch.testing.assert_close(hirescam(network, x, layer=layer), expected)
    torch.testing.assert_close(inner[0], expected)


def test_under_autocast_maps_are_finite_and_near_those_of_full_precision(case):
    network, layer, x = case
    expected = hirescam(network, x, layer=layer)
    with torch.autocast("cpu", torch.bfloat16):
        found = hirescam(network, x, layer=layer)
    assert found.dtype == torch.float32
    assert (found - expected).abs().max() < 0.02 * expected.abs().max()


def test_half_precision_networks_and_integer_inputs_are_explained(case):
    network, layer, x = case
    expected = hirescam(network, x.round(), layer=layer)
    half = hirescam(network.bfloat16(), x.round().bfloat16(), layer=layer)
    assert (half - expected).abs().max() < 0.03 * expected.abs().max()

    class FromIntegers(nn.Module):
        def forward(self, x):
            return x.float()

    network = nn.Sequential(FromIntegers(), *network.float())
    maps = hirescam(network, x.round().short(), layer=network[2])
    torch.testing.assert_close(maps, expected, rtol=0.03, atol=0.03)


def test_operations_that_cannot_be_batched_are_taken_one_by_one(case):
    class Doubled(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return 2 * x

        @staticmethod
        def backward(ctx, gradient):
            return torch.from_numpy(2 * gradient.numpy())

    class Double(nn.Module):
        def forward(self, x):
            return Doubled.apply(x)

    network, layer, x = case
    expected = 2 * hirescam(network, x, layer=layer)
    torch.testing.assert_close(hirescam(network.append(Double()), x, layer=layer), expected)


def test_maps_can_be_a_loss(case):
    network, layer, x = case
    hirescam(network, x, layer=layer, create_graph=True).square().sum().backward()
    bias = network[-1].bias
    for parameter in network.parameters():
        assert parameter is bias or parameter.grad.abs().max() > 0
    assert bias.grad is None or not bias.grad.any()


def test_without_a_graph_maps_carry_none(case):
    network, layer, x = case
    assert not hirescam(network, x, layer=layer).requires_grad
