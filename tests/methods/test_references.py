"""Where captum is right, the same numbers; where it has no rule, ours."""

import warnings

import pytest
import torch
from torch import nn

from hirescam.methods import (
    deconvnet,
    gradcam,
    gradient_times_activation,
    guided_backpropagation,
    guided_gradcam,
    hirescam,
    input_times_gradient,
    integrated_gradients,
    lrp,
    occlusion,
    saliency,
    signed_gradient,
)
from make_trunks import ADAPTIVE, AVGPOOL, CONV, MAXPOOL, trunk_and_images

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # captum's own, while it is imported
    captum = pytest.importorskip(
        "captum.attr", reason='captum absent: pip install "hirescam[dev]"'
    )
    lrp_rules = pytest.importorskip("captum.attr._utils.lrp_rules")

SAME = {"atol": 1e-5, "rtol": 1e-5}
DIMENSIONS = pytest.mark.parametrize("dimensions", [1, 2, 3])


@pytest.fixture(autouse=True)
def captums_warnings_are_its_own():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def plain(dimensions):
    """Modules alone, none in place and none used twice, as captum needs them; and images."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(
            CONV[dimensions](2, 4, 3, padding=1),
            nn.ReLU(),
            MAXPOOL[dimensions](2),
            CONV[dimensions](4, 4, 3, padding=1),
            nn.ReLU(),
            AVGPOOL[dimensions](2),
            ADAPTIVE[dimensions](1),
            nn.Flatten(),
            nn.Linear(4, 3),
        )
        return network.eval(), torch.randn(2, 2, *[8] * dimensions)


def by_captum(explainer, x, **options):
    """(batch, target, channel, *space), one target at a time."""
    parts = [
        explainer.attribute(x.clone().requires_grad_(), target=target, **options)
        for target in range(3)
    ]
    return torch.stack(parts, dim=1).detach()


INPUT = {
    "saliency": (saliency, captum.Saliency, {}),
    "signed_gradient": (signed_gradient, captum.Saliency, {"abs": False}),
    "input_times_gradient": (input_times_gradient, captum.InputXGradient, {}),
    "guided_backpropagation": (guided_backpropagation, captum.GuidedBackprop, {}),
    "deconvnet": (deconvnet, captum.Deconvolution, {}),
}


@DIMENSIONS
@pytest.mark.parametrize("name", INPUT)
def test_input_methods_equal_captums(name, dimensions):
    ours, theirs, options = INPUT[name]
    network, x = plain(dimensions)
    expected = by_captum(theirs(network), x, **options)
    torch.testing.assert_close(ours(network, x, per_channel=True), expected, **SAME)
    over_channels = expected.amax(2) if name == "saliency" else expected.sum(2)
    torch.testing.assert_close(ours(network, x), over_channels, **SAME)


@DIMENSIONS
def test_integrated_gradients_equal_captums(dimensions):
    network, x = plain(dimensions)
    expected = by_captum(
        captum.IntegratedGradients(network),
        x,
        baselines=0.3,
        n_steps=8,
        method="gausslegendre",
    )
    found = integrated_gradients(network, x, baseline=0.3, n_steps=8, per_channel=True)
    torch.testing.assert_close(found, expected, **SAME)


@DIMENSIONS
def test_layer_methods_equal_captums(dimensions):
    network, x = trunk_and_images(dimensions)
    layer = network[4].relu
    expected = by_captum(captum.LayerGradCam(network, layer), x)[:, :, 0]
    torch.testing.assert_close(gradcam(network, x, layer=layer), expected, **SAME)
    expected = by_captum(captum.LayerGradientXActivation(network, layer), x)
    apart = gradient_times_activation(network, x, layer=layer, per_channel=True)
    torch.testing.assert_close(apart, expected, **SAME)
    torch.testing.assert_close(hirescam(network, x, layer=layer), expected.sum(2), **SAME)


@DIMENSIONS
def test_guided_gradcam_equals_captums(dimensions):
    network, x = plain(dimensions)
    mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[dimensions]
    layer = network[4]
    theirs = captum.GuidedGradCam(network, layer)
    expected = by_captum(theirs, x, interpolate_mode=mode).sum(2)
    torch.testing.assert_close(guided_gradcam(network, x, layer=layer), expected, **SAME)


@DIMENSIONS
def test_occlusion_equals_captums(dimensions):
    network, x = plain(dimensions)
    expected = by_captum(
        captum.Occlusion(network),
        x,
        sliding_window_shapes=(2, *[4] * dimensions),
        strides=(2, *[2] * dimensions),
    )
    found = occlusion(network, x, size=4, stride=2)
    torch.testing.assert_close(found, expected[:, :, 0], **SAME)


class Flattening(nn.Module):
    """The plain network with a flattening that is no module: captum has no rule for one."""

    def __init__(self, network):
        super().__init__()
        self.trunk, self.head = network[:-2], network[-1]

    def forward(self, x):
        return self.head(self.trunk(x).flatten(1))


@pytest.mark.parametrize("epsilon", [1e-9, 0.01])
@pytest.mark.parametrize("with_norm", [False, True])
def test_lrp_equals_captums(epsilon, with_norm):
    network, x = plain(2)
    if with_norm:
        network.insert(4, trunk_and_images(2)[0][1])
    network = Flattening(network)
    linear = (nn.Conv2d, nn.Linear, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.BatchNorm2d)
    parts = []
    for target in range(3):
        for module in network.modules():
            if isinstance(module, linear):
                module.rule = lrp_rules.EpsilonRule(epsilon=epsilon)  # captum removes it again
        parts.append(captum.LRP(network).attribute(x.clone().requires_grad_(), target=target))
    found = lrp(network, x, epsilon=epsilon, per_channel=True)
    torch.testing.assert_close(found, torch.stack(parts, dim=1).detach(), **SAME)


def test_lrp_has_the_rule_for_3d_convolutions_that_captum_lacks():
    network, x = plain(3)
    with pytest.raises(TypeError, match="Conv3d"):
        captum.LRP(network).attribute(x.clone().requires_grad_(), target=0)
    assert lrp(network, x).isfinite().all()
