"""The command `regions`: small files, a record and pictures for every scan of a recipe."""

import json

import numpy as np
import pytest
from PIL import Image
from typer import Typer
from typer.testing import CliRunner

from hirescam.atomic import MARK
from hirescam.cli import train
from hirescam.regions.downsample import read_organs_on_map
from make_cases import small_config, write_cases


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cases")
    config = small_config(write_cases(folder, train=2, valid=1))
    (folder / "recipe.json").write_text(config.model_dump_json(exclude_defaults=True))
    return folder


def test_regions_of_every_scan_and_previews_of_some(folder):
    out = folder / "regions"
    app = Typer()
    app.command()(train.regions)
    arguments = [str(folder / "recipe.json"), "--out", str(out), "--previews", "1"]
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert (done.exit_code, done.output) == (0, f"{out}\n")
    names = {path.name for path in out.iterdir()}
    scans = {f"scan-{number}.npy" for number in range(3)}
    assert names == scans | {"regions.json", "scan-0.png", MARK}
    shape = tuple(json.loads((out / "regions.json").read_text())["map_shape"])
    organs = read_organs_on_map(out / "scan-2.npy", shape)
    assert organs.any(axis=(1, 2, 3)).all()
    assert np.asarray(Image.open(out / "scan-0.png")).std() > 10
