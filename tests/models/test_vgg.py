"""VGG-16: torchvision's parameters, its forward pass told again, weights from files."""

import hashlib

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from hirescam.errors import ModelError
from hirescam.methods import Kind, audit, gradcam, hirescam
from hirescam.models import vgg
from hirescam.models.vgg import VGG16, find_imagenet_vgg16, load_imagenet_vgg16

SLIM = ((4, 4), (4, 4), (4, 4, 4), (8, 8, 8), (8, 8, 8))
CONVOLUTIONS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)  # torchvision's numbers


def slim(labels=3, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return VGG16(labels, widths=SLIM, hidden=16).eval(), torch.rand(2, 3, 64, 64)


def write(weights, folder, name="vgg16"):
    """A state dict in a file whose name has its hash, as torch's do."""
    path = folder / "weights.pth"
    torch.save(weights, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    return path.rename(folder / f"{name}-{digest}.pth")


def test_names_and_number_of_parameters_are_torchvisions():
    with torch.device("meta"):
        network = VGG16()
    assert sum(p.numel() for p in network.parameters()) == 138_357_544
    layers = [f"features.{n}" for n in CONVOLUTIONS] + [f"classifier.{n}" for n in (0, 3, 6)]
    expected = [f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias")]
    assert list(network.state_dict()) == expected


def test_the_forward_pass_is_vggs():
    network, x = slim()
    weights = network.state_dict()
    out = x
    for number, layer in enumerate(CONVOLUTIONS, start=1):
        name = f"features.{layer}"
        out = F.conv2d(out, weights[f"{name}.weight"], weights[f"{name}.bias"], padding=1)
        out = out.clamp(min=0)
        if number in (2, 4, 7, 10, 13):
            out = out.unflatten(2, (-1, 2)).unflatten(4, (-1, 2)).amax(dim=(3, 5))
    out = F.interpolate(out, (7, 7), mode="area").flatten(1)
    for layer in (0, 3, 6):
        name = f"classifier.{layer}"
        out = F.linear(out, weights[f"{name}.weight"], weights[f"{name}.bias"])
        out = out.clamp(min=0) if layer < 6 else out
    torch.testing.assert_close(network(x), out)


def test_its_maps_are_not_guaranteed_and_grad_cam_differs():
    network, x = slim()
    assert audit(network, x, layer=network.features).kind is Kind.NONE
    one, other = (method(network, x, layer=network.features) for method in (hirescam, gradcam))
    assert (one - other).abs().max() > 0.1 * one.abs().max()


def test_convolutions_come_from_the_file_and_the_classifier_stays(tmp_path):
    source, _ = slim(labels=1000, seed=1)
    network, _ = slim()
    before = network.classifier[6].weight.clone()
    load_imagenet_vgg16(network, write(source.state_dict(), tmp_path))
    assert torch.equal(network.features[28].weight, source.features[28].weight)
    assert torch.equal(network.classifier[6].weight, before)


def test_a_file_whose_content_is_not_that_of_its_name_is_refused(tmp_path):
    path = write(slim()[0].state_dict(), tmp_path)
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(ModelError, match=r"has SHA-256 .{8}…, expected .*download it again"):
        load_imagenet_vgg16(slim()[0], path)


def test_weights_of_another_network_are_refused(tmp_path):
    path = write({"features.0.weight": torch.zeros(1)}, tmp_path)
    with pytest.raises(ModelError, match=r"vgg16-.*\.pth does not fit Sequential"):
        load_imagenet_vgg16(slim()[0], path)


def test_the_official_address_is_fetched_and_its_hash_checked(tmp_path, monkeypatch):
    source, _ = slim(seed=2)
    good = write(source.state_dict(), tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(vgg, "IMAGENET_VGG16_URL", good.as_uri())
    network, _ = slim()
    load_imagenet_vgg16(network)
    assert torch.equal(network.features[0].weight, source.features[0].weight)
    bad = good.rename(tmp_path / "vgg16-01234567.pth")
    monkeypatch.setattr(vgg, "IMAGENET_VGG16_URL", bad.as_uri())
    with pytest.raises(ModelError, match="invalid hash value"):
        load_imagenet_vgg16(network)


def test_weights_are_found_beside_the_photographs_or_in_torchs_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    assert find_imagenet_vgg16(tmp_path) is None
    cached = tmp_path / "home" / "hub" / "checkpoints" / "vgg16-397923af.pth"
    cached.parent.mkdir(parents=True)
    cached.touch()
    assert find_imagenet_vgg16(tmp_path) == cached
    beside = tmp_path / "vgg16-397923af.pth"
    beside.touch()
    assert find_imagenet_vgg16(tmp_path) == beside


def test_dropout_is_off_when_it_is_explained():
    network, x = slim()
    network.train()
    assert any(isinstance(layer, nn.Dropout) for layer in network.classifier)
    one, other = (hirescam(network, x, layer=network.features) for _ in range(2))
    assert torch.equal(one, other)
