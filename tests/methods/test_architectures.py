"""Verdicts on networks that we did not write, checked by Jacobians of their own."""

import warnings

import pytest
import torch

from hirescam.methods import Kind, audit, gradcam, hirescam
from hirescam.methods._engine import capture, find_layer, layer_name

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # MONAI's import warns of optional packages of its own
    nets = pytest.importorskip("monai.networks.nets", reason='needs pip install "monai"')

BUILD = {
    "densenet121": lambda d: nets.DenseNet121(spatial_dims=d, in_channels=1, out_channels=3),
    "resnet10": lambda d: nets.resnet10(spatial_dims=d, n_input_channels=1, num_classes=3),
    "resnet18": lambda d: nets.resnet18(spatial_dims=d, n_input_channels=1, num_classes=3),
    "seresnet50": lambda d: nets.SEResNet50(spatial_dims=d, in_channels=1, num_classes=3),
    "efficientnet-b0": lambda d: nets.EfficientNetBN(
        "efficientnet-b0", spatial_dims=d, in_channels=1, num_classes=3, pretrained=False
    ),
}
VERDICTS = [
    ("densenet121", "features", Kind.NONE, "ReLU `class_layers.relu`"),
    ("densenet121", "class_layers.relu", Kind.CAM, None),
    ("resnet10", "layer4", Kind.CAM, None),
    ("resnet10", "layer3", Kind.NONE, "ReLU `layer4.0.act`"),
    ("resnet18", "layer4", Kind.CAM, None),
    ("seresnet50", "layer4", Kind.CAM, None),
    ("seresnet50", "layer3", Kind.NONE, "ReLU `layer4.0.conv1.adn.A`"),
    ("efficientnet-b0", "_bn1", Kind.NONE, "MemoryEfficientSwish `_swish`"),
]
IN_2D_AND_3D = [(2, *row) for row in VERDICTS] + [
    (3, *row)
    for row in VERDICTS
    if row[:2] != ("seresnet50", "layer3")  # as in 2D, but slow
]


def built(name, dimensions):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = BUILD[name](dimensions).eval()
        return network, torch.randn(1, 1, *[33 if dimensions == 3 else 64] * dimensions)


def jacobian(network, x, layer, activation):
    """Slope of every score in the output of a layer, computed without our code."""

    def above(value):
        handle = layer.register_forward_hook(lambda *_: value.clone())
        try:
            return network(x)
        finally:
            handle.remove()

    return torch.autograd.functional.jacobian(above, activation)


@pytest.mark.parametrize(("dimensions", "name", "layer", "kind", "culprit"), IN_2D_AND_3D)
def test_the_verdict_is_that_of_the_jacobian(dimensions, name, layer, kind, culprit):
    network, x = built(name, dimensions)
    found = audit(network, x, layer=layer)
    assert found.kind is kind
    assert (
        found.first_nonaffine is None
        if culprit is None
        else found.first_nonaffine.startswith(culprit)
    )

    module = network.get_submodule(layer)
    seen = capture(network, x, layer=module).activation.detach()
    noise = torch.randn(seen.shape, generator=torch.Generator().manual_seed(1))
    if (seen >= 0).all():
        seen, noise = seen + 0.1, noise.abs()  # inside what a second ReLU lets through
    here, there = (jacobian(network, x, module, place) for place in (seen, noise))
    same = torch.allclose(here, there, rtol=1e-3, atol=1e-4 * float(here.abs().max()))
    assert same is (kind is not Kind.NONE)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_maps_of_a_guaranteed_network_sum_to_the_score_minus_the_bias(dimensions):
    network, x = built("resnet10", dimensions)
    maps = hirescam(network, x, layer="layer4")
    expected = network(x) - network.fc.bias
    torch.testing.assert_close(maps.flatten(2).sum(2), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(gradcam(network, x, layer="layer4"), maps)


@pytest.mark.parametrize(
    ("name", "layer"),
    [("densenet121", "class_layers.relu"), ("resnet18", "layer4"), ("efficientnet-b0", "_bn1")],
)
def test_the_last_spatial_layer_that_runs_once_is_found(name, layer):
    network, x = built(name, 2)
    assert layer_name(network, find_layer(network, x)) == layer
