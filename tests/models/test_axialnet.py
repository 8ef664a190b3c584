"""AxialNet: the published layers, restated; its maps and its slice scores."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from hirescam import methods
from hirescam.errors import LayerError
from hirescam.methods import Kind, audit, gradcam, hirescam
from hirescam.models.axialnet import AxialNet
from hirescam.models.backbone import ResNetTrunk, load_imagenet

SMALL = {"labels": 80, "side": 112, "widths": (8, 16), "blocks": (1, 1), "neck": (8, 8, 6, 5)}


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return AxialNet(**SMALL).eval()


@pytest.fixture(scope="module")
def x():
    return torch.randn(2, 7, 3, 112, 112, generator=torch.Generator().manual_seed(1))


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_paper_s_network_has_the_paper_s_parameters():
    with torch.device("meta"):
        network = AxialNet()
    assert parameters(network) == 11_543_056
    assert parameters(network.features.trunk) == 11_176_512
    assert parameters(network.features.neck) == 320_384
    assert parameters(network.head) == 46_160


def test_the_cells_of_the_paper_s_network_lie_at_their_receptive_fields_centres():
    with torch.device("meta"):
        network = AxialNet()
    slices, rows, columns = network.cells(135)
    assert rows.centres.tolist() == columns.centres.tolist() == [128, 160, 192, 224, 256, 288]
    assert slices.centres.tolist() == list(range(1, 405, 3))


def test_the_forward_pass_is_the_published_one(network, x):
    """FACTS: slices as the trunk's batch, four convolutions, a shared 6×6 layer, a mean."""
    scan = x[0]
    z = network.features.neck(network.features.trunk(scan))
    assert z.shape == (7, 5, 6, 6)
    scores = nn.functional.conv2d(z, network.head.weight.squeeze(2), network.head.bias)
    torch.testing.assert_close(network(x)[0], scores.flatten(1).mean(0), rtol=1e-4, atol=1e-6)


def test_maps_are_the_published_repeat_multiply_sum(network, x):
    z = network.features(x[:1])[0].transpose(0, 1)  # (slices, features, 6, 6)
    weights = network.head.weight.squeeze(2)  # (labels, features, 6, 6)
    repeated = z.repeat(80, 1, 1, 1, 1)
    published = torch.mul(repeated, weights.unsqueeze(1)).sum(2)
    ours = hirescam(network, x[:1])[0]
    torch.testing.assert_close(ours * len(z), published, rtol=1e-4, atol=1e-7)


def test_every_map_sums_to_the_score_minus_the_bias(network, x):
    sums = hirescam(network, x).flatten(2).sum(2)
    expected = network(x) - network.head.bias
    assert ((sums - expected).abs() <= 1e-4 * expected.abs() + 1e-7).all()


def test_the_closed_form_is_hirescam(network, x):
    torch.testing.assert_close(
        network.label_maps(network.features(x)), hirescam(network, x), rtol=1e-4, atol=1e-8
    )


def test_hirescam_is_guaranteed_and_gradcam_is_not(network, x):
    verdict = audit(network, x[:1])
    assert verdict.kind is Kind.AFFINE
    difference = hirescam(network, x[:1]) - gradcam(network, x[:1])
    assert difference.abs().max() > 0.1 * hirescam(network, x[:1]).abs().max()


def test_the_mean_of_the_slice_scores_is_the_score(network, x):
    slices = network.slice_scores(network.features(x))
    assert slices.shape == (2, 80, 7)
    torch.testing.assert_close(slices.mean(2), network(x))


def test_slices_taken_a_few_at_a_time_change_nothing(network, x):
    together = network.features(x)
    try:
        network.features.chunk = 2
        torch.testing.assert_close(network.features(x), together, rtol=1e-4, atol=1e-6)
    finally:
        network.features.chunk = 5


def test_in_training_the_statistics_are_those_of_the_whole_scan(x):
    torch.manual_seed(0)
    network = AxialNet(**SMALL).train()
    network.features.chunk = 2
    network(x[:1])
    images = x[0]
    expected = 0.1 * network.features.trunk.conv1(images).mean((0, 2, 3))
    torch.testing.assert_close(network.features.trunk.bn1.running_mean, expected)


def test_a_batch_of_scans_gives_the_scores_of_each(network, x):
    alone = torch.cat([network(scan[None]) for scan in x])
    torch.testing.assert_close(network(x), alone, rtol=1e-4, atol=1e-6)


def test_the_head_works_in_float32_under_autocast(network, x):
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        assert network(x[:1]).dtype == torch.float32


def test_the_trunk_is_torchvision_s_resnet_18():
    """The names and shapes of torchvision's state dict, without its classifier."""
    names = set(ResNetTrunk().state_dict())
    assert len(names) == 120
    expected = {
        "conv1.weight",
        "bn1.running_var",
        "layer1.0.conv1.weight",
        "layer2.0.downsample.0.weight",
        "layer2.0.downsample.1.num_batches_tracked",
        "layer4.1.bn2.bias",
    }
    assert expected <= names
    assert not {"layer1.0.downsample.0.weight", "fc.weight"} & names


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_imagenet_weights_load_from_a_file(tmp_path, suffix):
    shapes = ResNetTrunk().state_dict()
    weights = {name: torch.rand(value.shape) for name, value in shapes.items()}
    file = tmp_path / f"resnet18{suffix}"
    whole = {**weights, "fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}
    if suffix == ".pth":
        torch.save(whole, file)
    else:
        save_file(whole, file)
    trunk = ResNetTrunk()
    load_imagenet(trunk, file)
    torch.testing.assert_close(trunk.layer4[1].conv2.weight, weights["layer4.1.conv2.weight"])


@pytest.mark.parametrize("method", [methods.scorecam, methods.guided_gradcam])
def test_methods_that_lay_a_map_over_the_input_refuse_slices_before_channels(
    network, x, method
):
    with pytest.raises(
        LayerError, match="second axis of this network's input is not its channels"
    ):
        method(network, x[:1], targets=0)
