"""What a step minimises: closed forms equal gradients, and gradients reach every weight."""

import copy
from contextlib import nullcontext

import pytest
import torch
from torch import nn

from hirescam.errors import ModelError, ShapeError
from hirescam.models.classifier import Classifier
from hirescam.training.losses import MASK_LOSSES, classification_loss
from hirescam.training.modes import checkpointed
from hirescam.training.objective import Objective, gradcam_attention, hirescam_attention
from make_models import small_model


class TwoLayers(Classifier):
    """A head that is not linear, on the features of a small AxialNet."""

    def __init__(self):
        super().__init__()
        self.features = network().features
        with torch.random.fork_rng():
            torch.manual_seed(1)  # some heads have no unit that any scan switches on
            layers = nn.Linear(5, 7), nn.ReLU(), nn.Dropout(), nn.Linear(7, 3)
        self.head = nn.Sequential(*layers)

    def scores(self, features):
        return self.slice_scores(features).mean(dim=2)

    def slice_scores(self, features):
        return self.head(features.mean(dim=(3, 4)).mT).mT

    @property
    def cells(self):
        return network().cells


def network():
    return small_model().network.requires_grad_(True).train()


@pytest.fixture
def x():
    return torch.randn(1, 10, 3, 112, 112, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def allowed():
    return torch.rand(1, 3, 10, 6, 6, generator=torch.Generator().manual_seed(2)) > 0.5


LABELS = torch.tensor([[1.0, 0.0, float("nan")]])


def by_jacobian(network, features):
    return torch.autograd.functional.jacobian(network.scores, features)[0, :, 0]


def test_hirescam_attention_is_features_times_weights_without_the_mean_over_slices(x):
    net = network()
    z = net.features(x).detach()
    found = hirescam_attention(net, z)
    weight = net.head.weight[:, :, 0]
    for label in range(3):
        for slice_ in range(10):
            cells = (z[0, :, slice_] * weight[label]).sum(dim=0)
            torch.testing.assert_close(found[0, label, slice_], cells)
    jacobian = by_jacobian(net, z)
    torch.testing.assert_close(found[0], 10 * (jacobian * z[0]).sum(dim=1))


def test_gradcam_attention_replaces_weights_by_their_mean_over_positions(x):
    net = network()
    z = net.features(x).detach()
    alpha = net.head.weight.mean(dim=(2, 3, 4))
    expected = torch.einsum("bfshw,lf->blshw", z, alpha)
    torch.testing.assert_close(gradcam_attention(net, z), expected)


def test_a_head_that_is_not_linear_is_explained_by_gradients(x):
    net = TwoLayers()
    net.head.eval()
    z = net.features(x).detach()
    expected = 10 * (by_jacobian(net, z) * z[0]).sum(dim=1)
    with torch.no_grad():
        torch.testing.assert_close(hirescam_attention(net, z)[0], expected)


@pytest.mark.parametrize("make", [network, TwoLayers])
@pytest.mark.parametrize("maps", ["hirescam", "gradcam"])
def test_the_mask_loss_trains_features_and_head(make, maps, x, allowed):
    net = make()
    objective = Objective(net, mask_loss="published", maps=maps)
    torch.autograd.backward(objective(x, LABELS, allowed).mask)
    for part in (net.features.trunk.conv1, net.head):
        gradients = [each.grad for each in part.parameters() if each.grad is not None]
        assert gradients
        assert any((each != 0).any() for each in gradients)


def test_the_total_is_classification_and_a_third_of_the_mask_loss(x, allowed):
    net = network()
    losses = Objective(net, mask_loss="published")(x, LABELS, allowed)
    z = net.features(x)
    mask = MASK_LOSSES["published"](hirescam_attention(net, z), allowed)
    torch.testing.assert_close(losses.mask, mask)
    torch.testing.assert_close(losses.classification, classification_loss(net(x), LABELS))
    torch.testing.assert_close(losses.total, losses.classification + losses.mask / 3)


def test_without_a_mask_loss_no_region_is_needed(x):
    losses = Objective(network())(x, LABELS)
    assert losses.total == losses.classification
    assert losses.mask == 0


def test_regions_of_another_map_are_refused(x, allowed):
    with pytest.raises(ShapeError, match=r"regions are \(1, 3, 10, 6, 5\), maps \(1, 3, 10"):
        Objective(network(), mask_loss="published")(x, LABELS, allowed[..., 1:])


def test_computing_activations_twice_changes_no_bit(x, allowed):
    kept, twice = network(), network()
    for net, saving in ((kept, nullcontext()), (twice, checkpointed(twice))):
        with saving:
            losses = Objective(net, mask_loss="published")(x, LABELS, allowed)
            torch.autograd.backward(losses.total)
    for (name, a), b in zip(kept.named_parameters(), twice.parameters(), strict=True):
        assert torch.equal(a.grad, b.grad), name
    for (name, a), b in zip(kept.named_buffers(), twice.buffers(), strict=True):
        assert torch.equal(a, b), name
    assert "forward" not in vars(twice.features.trunk)


def test_a_network_without_a_trunk_cannot_save_memory():
    with (
        pytest.raises(ModelError, match="Linear has no 2D trunk"),
        checkpointed(nn.Linear(1, 1)),
    ):
        pass


def test_bf16_keeps_head_maps_and_losses_in_fp32(x, allowed):
    net = network()
    objective = Objective(copy.deepcopy(net), mask_loss="published")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = objective(x, LABELS, allowed)
    assert {each.dtype for each in losses} == {torch.float32}
    exact = Objective(net, mask_loss="published")(x, LABELS, allowed)
    torch.testing.assert_close(losses.total, exact.total, rtol=0.02, atol=0)
