"""Trunks: torchvision's names, and networks of one's own."""

import pytest
import torch
from torch import nn

from hirescam.ct.grid import Window
from hirescam.errors import ModelError, ShapeError
from hirescam.models.axialnet import AxialNet
from hirescam.models.backbone import Trunk
from hirescam.models.files import load_model, new_model, save_model
from hirescam.models.trunks import TRUNKS, build_trunk
from hirescam.training.modes import checkpointed
from make_classifiers import LABELS, PREPARATION, classifier_model, scan_input

RESNET_50 = (64, 128, 256, 512), (3, 4, 6, 3), 3


class TwoScales(Trunk):
    """Two paths of different strides side by side, which no list of layers can tell."""

    out_channels = 5

    def __init__(self, channels):
        super().__init__()
        self.fine = nn.Sequential(nn.Conv2d(channels, 3, 3, 2, 1), nn.Conv2d(3, 3, 3, 2, 1))
        self.coarse = nn.Conv2d(channels, 2, 5, 4, 2)

    def forward(self, x):
        return torch.cat([self.fine(x), self.coarse(x)], dim=1).relu()


def test_a_trunk_of_bottlenecks_is_torchvision_s_resnet_50():
    with torch.device("meta"):
        trunk = build_trunk("ResNetBottleneck", *RESNET_50)
    assert sum(p.numel() for p in trunk.parameters()) == 23_508_032
    assert {"layer1.0.downsample.0.weight", "layer4.2.bn3.bias"} <= set(trunk.state_dict())
    assert trunk.out_channels == 2048


def test_a_trunk_of_basic_blocks_is_torchvision_s_resnet_34():
    with torch.device("meta"):
        trunk = build_trunk("ResNet", *RESNET_50)
    assert sum(p.numel() for p in trunk.parameters()) == 21_284_672


@pytest.fixture
def own_trunk(monkeypatch):
    def build(widths, blocks, channels):
        trunk = TwoScales(channels)
        trunk.windows = Window(3, 2, 1), Window(3, 2, 1)
        return trunk

    monkeypatch.setitem(TRUNKS, "two scales", build)


def test_a_trunk_of_one_s_own_makes_a_model_that_is_saved_and_read(own_trunk, tmp_path):
    model = new_model(
        name="own",
        labels=LABELS,
        preparation=PREPARATION,
        trained_on="nothing",
        arguments={"trunk": "two scales", "neck": (4,)},
    )
    assert model.network.cells(18)[1].centres[:3].tolist() == [4, 8, 12]
    assert model.network.map_shape(18) == (18, 26, 26)
    loaded = load_model(save_model(model, tmp_path / "own.model"))
    x = scan_input()
    with torch.no_grad():
        torch.testing.assert_close(loaded.network(x), model.network.eval()(x))


def test_a_trunk_whose_cells_cannot_be_told_from_its_layers_says_so(monkeypatch):
    monkeypatch.setitem(TRUNKS, "silent", lambda *sizes: TwoScales(3))
    with pytest.raises(ShapeError, match=r"have \(2, 26, 26\) cells.* an attribute `windows`"):
        AxialNet(trunk="silent", side=112, neck=(4,))(torch.zeros(1, 2, 3, 112, 112))


def test_a_trunk_that_does_not_say_its_features_is_refused(monkeypatch):
    monkeypatch.setitem(TRUNKS, "mute", lambda *sizes: Trunk())
    with pytest.raises(ModelError, match="set its `out_channels`"):
        AxialNet(trunk="mute", side=112)


def test_slices_of_another_size_are_refused():
    with pytest.raises(ShapeError, match="give slices of that size"):
        classifier_model("AxialNet").network(torch.zeros(1, 2, 3, 128, 128))


def test_an_unknown_trunk_says_how_to_add_it():
    with pytest.raises(ModelError, match=r"trunk 'mine' is unknown.*TRUNKS\['mine'\] = build"):
        AxialNet(trunk="mine")


def test_an_unknown_pooling_is_refused():
    with pytest.raises(ModelError, match="pool is 'sum', expected one of mean, max"):
        AxialNet(pool="sum")


def test_a_scan_that_is_too_small_is_refused():
    with pytest.raises(ModelError, match=r"1 slice groups of 128 pixels.* 1 × -4 × -4 cells"):
        AxialNet(side=128)


def test_a_trunk_of_one_s_own_is_not_cut_into_stages_to_save_memory(own_trunk):
    network = AxialNet(trunk="two scales", side=112, neck=(4,))
    with pytest.raises(ModelError, match="TwoScales may not be a chain"), checkpointed(network):
        pass
