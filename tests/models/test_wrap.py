"""Networks of one's own: wrapped, explained, saved, imported; the same as run by hand."""

import json
import shutil
import subprocess
import sys
import tomllib

import numpy as np
import pytest
import torch
from monai import transforms
from monai.data import MetaTensor
from monai.networks.nets import DenseNet121, SegResNet, resnet18
from safetensors.torch import save_file
from torch import nn

import hirescam
from hirescam import Preparation
from hirescam.cli.main import main
from hirescam.ct.preparation import network_input, place, place_codes
from hirescam.ct.volume import Volume
from hirescam.errors import ModelError
from hirescam.models import merlin
from hirescam.models.files import open_model
from hirescam.models.wrap import traced_cells
from make import REPO, affine

PREPARATION = Preparation(
    spacing_mm=(4, 4, 4),
    shape=(32, 40, 48),
    group=1,
    mean=0.0,
    orientation="RAS",
    interpolation="trilinear",
    fit="monai",
)
AXES = (("L", "R"), ("P", "A"), ("I", "S"))
LABELS = ("effusion", "Knötchen", "结节")


def scan(shape=(40, 50, 45), spacing=(3.0, 3.5, 4.0)):
    random = np.random.default_rng(0)
    voxels = random.integers(-1000, 600, shape).astype(np.int16)
    return Volume(voxels, affine(spacing=spacing))


def explained_noise(model):
    return hirescam.explain(model, scan(), any_values=True)


class Small(nn.Module):
    """A linear head after pooling, and logits inside a dictionary if asked."""

    def __init__(self, nested=False):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv3d(1, 4, 3, 2, 1), nn.ReLU(), nn.Conv3d(4, 6, 3, 2, 1), nn.ReLU()
        )
        self.head = nn.Linear(6, 3)
        self.nested = nested

    def forward(self, x):
        logits = self.head(self.features(x).mean((2, 3, 4)))
        return {"logits": logits, "loss": None} if self.nested else logits


def small(**options):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return Small(**options).eval()


def as_model():
    return hirescam.wrap(small(), labels=LABELS, preparation=PREPARATION)


def test_scores_are_those_of_the_network_itself_and_maps_add_up():
    network, volume = small(), scan()
    model = hirescam.wrap(network, labels=LABELS, preparation=PREPARATION)
    explained = explained_noise(model)
    x = network_input(place(volume, PREPARATION), PREPARATION)[None].transpose(1, 2)
    assert x.shape == (1, 1, 32, 40, 48)
    with torch.no_grad():
        assert np.allclose(explained.logits, network(x)[0].numpy(), atol=1e-6)
    sums = explained.raw_maps.sum((1, 2, 3))
    assert np.allclose(sums, explained.logits - explained.offsets, atol=1e-5)
    assert all(verdict.holds_for("gradcam") for verdict in explained.verdicts)
    assert explained.labels == LABELS


@pytest.mark.parametrize("output", ["logits", lambda out: out["logits"]])
def test_output_takes_the_logits_out_of_what_a_network_returns(output):
    model = hirescam.wrap(
        small(nested=True), labels=LABELS, preparation=PREPARATION, output=output
    )
    explained = explained_noise(model)
    assert np.array_equal(explained.logits, explained_noise(as_model()).logits)


def test_a_network_that_is_not_affine_above_the_layer_is_said_not_to_be():
    network = small()
    network.head = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3)).eval()
    model = hirescam.wrap(network, labels=LABELS, preparation=PREPARATION, layer="features")
    explained = explained_noise(model)
    assert not any(verdict.holds_for("hirescam") for verdict in explained.verdicts)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": ["a"]}, "3 scores for 1 labels"),
        ({"labels": "abc"}, "one string"),
        ({"labels": ["a", "a", "b"]}, "same name"),
        ({"preparation": None}, "say how a scan becomes"),
        ({"preparation": PREPARATION.model_copy(update={"channels": 3})}, "does not take"),
        ({"output": "other"}, "no 'other'"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(options, message):
    given = {"labels": LABELS, "preparation": PREPARATION} | options
    with pytest.raises(ModelError, match=message):
        hirescam.wrap(small(nested="output" in options), **given)


def test_a_raw_network_is_told_to_be_wrapped():
    code = (
        "import hirescam, numpy as np, torch\n"
        "scan = hirescam.Volume(np.zeros((9, 9, 9), np.int16), np.eye(4))\n"
        "try: hirescam.explain(torch.nn.ReLU(), scan)\n"
        "except hirescam.ModelError as error: print(error)"
    )  # apart from here, where beartype would refuse the type first
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "hirescam.wrap(network, labels=" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("network", "layer", "cells"),
    [
        (lambda: DenseNet121(spatial_dims=3, in_channels=1, out_channels=3), None, (14.0, 32)),
        (
            lambda: resnet18(spatial_dims=3, n_input_channels=1, num_classes=3),
            "layer4",
            (0.0, 16),
        ),
        (
            lambda: SegResNet(spatial_dims=3, init_filters=8, in_channels=1, out_channels=3),
            "down_layers.2",
            (0.0, 4),
        ),
    ],
)
def test_cells_lie_where_a_bright_voxel_moves_them(network, layer, cells):
    built = network().eval()
    name = layer or "features"
    found = traced_cells(built, name, torch.zeros((1, 1, 64, 64, 64), device="meta"))
    assert [axis for axis, _ in found] == [0, 1, 2]
    assert {(along.first, along.step) for _, along in found} == {cells}


@pytest.mark.parametrize("place_of", [(10, 20, 12), (25, 30, 40)])
def test_a_marker_comes_back_to_its_place_in_the_patient(place_of):
    voxels = np.full((40, 50, 45), -1000, np.int16)
    voxels[tuple(slice(each - 2, each + 3) for each in place_of)] = 1500
    volume = Volume(voxels, affine(spacing=(3.0, 3.5, 4.0), tilt_deg=10))
    network = small()
    for layer in network.features:
        if isinstance(layer, nn.Conv3d):
            nn.init.constant_(layer.weight, 0.1)
            nn.init.zeros_(layer.bias)
    nn.init.ones_(network.head.weight)
    for preparation in (
        PREPARATION,
        PREPARATION.model_copy(update={"orientation": "SPL"}),
        Preparation(shape=(40, 40, 40), group=1, mean=0.0, fit="resize", interpolation="area"),
        Preparation(
            shape=(40, 40, 40),
            group=1,
            mean=0.0,
            fit="resize",
            interpolation="trilinear",
            crop_above_hu=-2000.0,
        ),
    ):
        model = hirescam.wrap(network, labels=LABELS, preparation=preparation)
        explained = hirescam.explain(model, volume, any_values=True)
        weight = explained.raw_maps[0]
        index = np.argwhere(weight > -np.inf).reshape(*weight.shape, 3)
        centre = (weight[..., None] * index).sum((0, 1, 2)) / weight.sum()
        found = explained.affine[:3, :3] @ centre + explained.affine[:3, 3]
        true = volume.affine[:3, :3] @ place_of + volume.affine[:3, 3]
        off = np.linalg.solve(explained.affine[:3, :3], found - true)  # in cells
        assert np.abs(off).max() <= 0.5, preparation


class Turning(nn.Module):
    """Turns its input to (z, x, y), as Merlin does."""

    def __init__(self):
        super().__init__()
        self.inner = small()

    def forward(self, x):
        return self.inner(x.permute(0, 1, 4, 2, 3))


def test_maps_of_a_network_that_turns_its_input_lie_as_the_input_does():
    plain = hirescam.wrap(small(), labels=LABELS, preparation=PREPARATION)
    turning = hirescam.wrap(Turning(), labels=LABELS, preparation=PREPARATION)
    nn.init.constant_(plain.network.network.features[0].weight, 0.1)
    nn.init.constant_(plain.network.network.features[2].weight, 0.1)  # alike along all axes
    turning.network.network.inner.load_state_dict(plain.network.network.state_dict())
    one, other = explained_noise(plain), explained_noise(turning)
    assert np.array_equal(one.affine, other.affine)
    assert np.allclose(one.raw_maps, other.raw_maps, atol=1e-6)


def test_merlin_has_exact_maps_of_all_its_labels():
    torch.manual_seed(0)
    network = merlin.Merlin(6, blocks=(1, 1, 1, 1)).eval()
    preparation = merlin.PREPARATION.model_copy(update={"shape": (48, 64, 64)})
    model = hirescam.wrap(network, labels=list("abcdef"), preparation=preparation)
    found = explained_noise(model)
    assert model.card.layer == "layer4"
    assert np.allclose(found.raw_maps.sum((1, 2, 3)), found.logits - found.offsets, atol=1e-4)
    assert all(verdict.holds_for("gradcam") for verdict in found.verdicts)
    assert found.raw_maps.shape == (6, 3, 2, 2)


# --- preparation as others' transforms do it


def through_monai(volume, steps):
    image = MetaTensor(torch.from_numpy(volume.voxels[None].astype(np.float32)), volume.affine)
    return transforms.Compose(steps)(image)[0].numpy()


@pytest.mark.parametrize("shape", [(32, 40, 48), (31, 51, 20), (64, 63, 70)])
@pytest.mark.parametrize("orientation", ["RAS", "LPS", "SPL"])
def test_merlins_kind_of_preparation_is_monais_voxel_for_voxel(shape, orientation):
    volume = scan()
    spacing = (2.5, 4.0, 3.1)
    preparation = Preparation(
        spacing_mm=spacing,
        shape=shape,
        window_hu=(-1000, 1000),
        mean=0.0,
        group=1,
        orientation=orientation,
        interpolation="trilinear",
        fit="monai",
    )
    ours = network_input(place(volume, preparation), preparation)[:, 0].numpy()
    axes = [
        transforms.Orientation(axcodes=orientation, labels=AXES),
        transforms.Spacing(pixdim=spacing, mode="bilinear"),
        transforms.ScaleIntensityRange(-1000, 1000, 0.0, 1.0, clip=True),
        transforms.SpatialPad(shape),
        transforms.CenterSpatialCrop(shape),
    ]
    assert np.abs(ours - through_monai(volume, axes)).max() < 2e-4


def test_a_foreground_box_resized_by_area_is_monais():
    volume = scan((40, 50, 45))
    volume.voxels[:7], volume.voxels[:, 44:] = -1000, -1000
    preparation = Preparation(
        shape=(16, 20, 24),
        window_hu=(-1000, 200),
        mean=0.5,
        std=0.25,
        group=1,
        orientation="RAS",
        fit="resize",
        interpolation="area",
        crop_above_hu=-1000.0,
    )
    ours = network_input(place(volume, preparation), preparation)[:, 0].numpy()
    axes = [
        transforms.Orientation(axcodes="RAS", labels=AXES),
        transforms.CropForeground(select_fn=lambda x: x > -1000, margin=0),
        transforms.Resize((16, 20, 24), mode="area"),
        transforms.ScaleIntensityRange(-1000, 200, 0.0, 1.0, clip=True),
        transforms.NormalizeIntensity(subtrahend=0.5, divisor=0.25),
    ]
    assert np.abs(ours - through_monai(volume, axes)).max() < 2e-4


def test_codes_follow_the_scan_into_its_foreground_box():
    volume = scan((20, 24, 28))
    volume.voxels[:5] = -1000
    preparation = Preparation(
        shape=(15, 24, 28),
        group=1,
        fit="resize",
        crop_above_hu=-1000.0,
        orientation=volume.orientation,
        interpolation="trilinear",
    )
    placed = place(volume, preparation)
    codes = Volume((volume.voxels > 0).astype(np.int16), volume.affine)
    moved = place_codes(codes, preparation, input_volume=placed)
    assert np.array_equal(moved.voxels > 0, placed.voxels > 0)
    with pytest.raises(ModelError, match="input_volume"):
        place_codes(codes, preparation)


def test_three_channels_repeat_one():
    preparation = PREPARATION.model_copy(update={"channels": 3})
    x = network_input(place(scan(), preparation), preparation)
    assert x.shape == (32, 3, 40, 48)
    assert torch.equal(x[:, 0], x[:, 2])


def test_older_preparations_are_written_as_they_were():
    assert set(Preparation().model_dump()) == {
        *("spacing_mm", "shape", "window_hu", "mean", "group", "orientation"),
        "interpolation",
    }
    assert Preparation(**PREPARATION.model_dump()) == PREPARATION


# --- files


@pytest.fixture
def own_code(tmp_path, monkeypatch):
    """A folder of the user's with code that builds a network, and one that gives a model."""
    (tmp_path / "users_own.py").write_text(
        "import sys\nsys.path.insert(0, '')\n"
        "import torch\nfrom torch import nn\nimport hirescam\n"
        "def build():\n"
        "    torch.manual_seed(3)\n"
        "    body = nn.Sequential(nn.Conv3d(1, 4, 3, 2, 1), nn.ReLU())\n"
        "    tail = nn.Sequential(nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(4, 3))\n"
        "    return nn.Sequential(body, tail).eval()\n"
        "def model():\n"
        "    return hirescam.wrap(build(), labels=['a', 'b', 'c'], preparation="
        "hirescam.Preparation(spacing_mm=(6, 6, 6), shape=(24, 40, 40), group=1))\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "users_own", raising=False)
    return tmp_path


def run(*arguments):
    try:
        main([str(each) for each in arguments])
    except SystemExit as end:
        return end.code


def test_a_saved_model_of_ones_own_asks_for_trust_and_comes_back(own_code):
    import users_own

    model = hirescam.wrap(
        users_own.build(), labels=LABELS, preparation=PREPARATION, source="users_own:build"
    )
    file = hirescam.save_model(model, own_code / "mine.model")
    with pytest.raises(ModelError, match="users_own:build of 'users_own' would be imported"):
        hirescam.load_model(file)
    loaded = hirescam.load_model(file, trust=True)
    assert loaded.card == model.card
    assert len(loaded.sha256) == 64
    one, other = explained_noise(model), explained_noise(loaded)
    assert np.array_equal(one.raw_maps, other.raw_maps)


def test_what_could_not_be_loaded_again_is_not_saved(tmp_path):
    local = hirescam.wrap(nn.Sequential(small()), labels=LABELS, preparation=PREPARATION)
    with pytest.raises(ModelError, match="source="):
        hirescam.save_model(local, tmp_path / "x.model")
    function = hirescam.wrap(
        small(nested=True),
        labels=LABELS,
        preparation=PREPARATION,
        source="a:b",
        output=lambda out: out["logits"],
    )
    with pytest.raises(ModelError, match="output="):
        hirescam.save_model(function, tmp_path / "x.model")
    assert not [*tmp_path.iterdir()]


CHECKPOINTS = {
    "plain.pth": lambda state: state,
    "parallel.pt": lambda state: {f"module.{k}": v for k, v in state.items()},
    "lightning.ckpt": lambda state: {
        "epoch": 3,
        "pytorch-lightning_version": "2.5",
        "state_dict": {f"model.{k}": v for k, v in state.items()}
        | {"loss.weight": torch.ones(3)},
        "hyper_parameters": {"lr": 1e-3},
    },
    "nested.pt": lambda state: {"model": {f"net.backbone.{k}": v for k, v in state.items()}},
    "compiled.pt": lambda state: {f"_orig_mod.{k}": v for k, v in state.items()},
}


@pytest.mark.parametrize("name", [*CHECKPOINTS, "tensors.safetensors"])
def test_a_checkpoint_becomes_a_model_file(own_code, name):
    import users_own

    network = users_own.build()
    with torch.no_grad():
        network[1][2].bias.copy_(torch.tensor([1.0, 2.0, 3.0]))
    if name.endswith("safetensors"):
        save_file(network.state_dict(), own_code / name)
    else:
        torch.save(CHECKPOINTS[name](network.state_dict()), own_code / name)
    (own_code / "labels.txt").write_text("eins\nzwei\n三\n", encoding="utf-8")
    (own_code / "prep.toml").write_text(
        "[preparation]\nspacing_mm = [6, 6, 6]\nshape = [24, 40, 40]\ngroup = 1\n"
    )
    code = run(
        *("import", name, "--network", "users_own:build", "--labels", "labels.txt"),
        *("--preparation", "prep.toml", "--out", "mine.model"),
    )
    assert code in (0, None)
    model = hirescam.load_model("mine.model", trust=True)
    assert model.labels == ("eins", "zwei", "三")
    assert model.network.network[1][2].bias.tolist() == [1.0, 2.0, 3.0]


def test_a_checkpoint_of_another_network_and_one_given_as_a_model_are_told_apart(own_code):
    torch.save({"fc.weight": torch.ones(2, 2)}, own_code / "other.pt")
    (own_code / "labels.txt").write_text("a\nb\nc\n")
    (own_code / "prep.toml").write_text("shape = [24, 40, 40]\ngroup = 1\n")
    refused = run(
        *("import", "other.pt", "--network", "users_own:build", "--labels", "labels.txt"),
        *("--preparation", "prep.toml"),
    )
    assert "lacks" in refused
    assert "fc.weight" in refused
    with pytest.raises(ModelError, match=r"hirescam import other\.pt --network"):
        hirescam.load_model("other.pt")


def test_a_function_can_be_named_in_place_of_a_model_file(own_code):
    hirescam.Volume(scan().voxels, scan().affine).to_nifti("scan.nii.gz")
    code = run(
        *("explain", "scan.nii.gz", "--model", "users_own:model", "--organs", "none"),
        *("--out", "one", "--any-values"),
    )
    assert code in (0, None)
    written = json.loads((own_code / "one" / "summary.json").read_text())
    assert [row["label"] for row in written["findings"]] == ["a", "b", "c"] or len(
        written["findings"]
    ) == 3
    assert written["provenance"]["architecture"] == "own network"
    assert len(open_model("users_own:model").sha256) == 64
    with pytest.raises(ModelError, match=r"let it return\s+hirescam\.wrap"):
        open_model("users_own:build")


def test_the_template_package_is_found_by_its_entry_point(tmp_path, monkeypatch):
    source = REPO / "examples" / "own-network"
    shutil.copytree(source / "src" / "own_network", tmp_path / "own_network")
    registered = tmp_path / "own_network-0.1.0.dist-info"  # what installing it leaves
    registered.mkdir()
    points = tomllib.loads((source / "pyproject.toml").read_text())["project"]["entry-points"]
    lines = [
        f"[{group}]\n{name} = {value}"
        for group, all_ in points.items()
        for name, value in all_.items()
    ]
    (registered / "entry_points.txt").write_text("\n".join(lines))
    (registered / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: own-network\nVersion: 0.1.0\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    model = open_model("own_network:build_model")
    file = hirescam.save_model(model, tmp_path / "own.model")
    assert hirescam.load_model(file).labels == ("effusion", "nodule")
