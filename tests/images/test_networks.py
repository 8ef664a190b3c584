"""Networks in two parts: what their maps are worth, and closed forms against gradients."""

import pytest
import torch
from torch import nn

from hirescam.errors import LayerError
from hirescam.images.measure import difference, maps_of
from hirescam.images.networks import flattened, pooled, vgg16
from hirescam.methods import Kind, audit, hirescam
from hirescam.models.vgg import VGG16

SLIM = ((4,), (4,), (4,), (8,), (8,))
BUILD = {
    "flattened": lambda trunk: flattened(trunk, 8, 3, 5),
    "pooled": lambda trunk: pooled(trunk, 8, 5),
}


def built(name, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        trunk = nn.Sequential(nn.Conv2d(3, 8, 5, stride=4), nn.ReLU())
        return BUILD[name](trunk).eval(), torch.rand(2, 3, 13, 13)


@pytest.mark.parametrize(("name", "kind"), [("flattened", Kind.AFFINE), ("pooled", Kind.CAM)])
def test_the_verdict_on_each_head(name, kind):
    network, x = built(name)
    assert audit(network, x, layer=network.features).kind is kind


def test_gradcam_is_hirescam_under_global_pooling():
    assert difference(maps_of(*built("pooled"))) < 1e-6


def test_gradcam_differs_from_hirescam_under_a_flattened_layer():
    assert difference(maps_of(*built("flattened"))) > 0.3


@pytest.mark.parametrize("name", BUILD)
def test_the_closed_form_is_the_gradients_map(name):
    network, x = built(name)
    features = network.features(x)
    torch.testing.assert_close(
        network.label_maps(features), hirescam(network, x, layer=network.features)
    )


def test_vggs_parts_give_its_scores_and_no_closed_form():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        whole = VGG16(5, widths=SLIM, hidden=16).eval()
        x = torch.rand(2, 3, 64, 64)
    parts = vgg16(whole)
    assert torch.equal(parts(x), whole(x))
    with pytest.raises(LayerError, match="put one linear layer on flattened or averaged"):
        parts.label_maps(parts.features(x))
