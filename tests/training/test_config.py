"""Configs: what a recipe says is what is trained, and a slip of the pen is told."""

import pytest

from hirescam.errors import HirescamError
from hirescam.training.config import TrainConfig, changed_keys, parse_changes
from make import REPO

RECIPES = sorted((REPO / "recipes").glob("*.toml"))


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text('data = "cases.csv"\nepochs = 7\n[preparation]\ngroup = 3\n')
    return path


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_is_a_config(path):
    assert TrainConfig.read(path).name == path.stem


def test_the_defaults_are_the_paper_s(recipe):
    config = TrainConfig.read(recipe)
    assert (config.optimiser, config.learning_rate, config.momentum) == ("sgd", 1e-3, 0.99)
    assert (config.weight_decay, config.patience, config.seed) == (1e-7, 15, 0)
    assert (config.accumulate, config.precision, len(config.labels)) == (1, "fp32", 80)
    assert config.mask_loss_weight == pytest.approx(1 / 3)
    assert config.preparation.shape == (405, 420, 420)
    assert TrainConfig.model_fields["epochs"].default == 100


def test_the_paper_s_recipes_differ_in_the_mask_loss_alone():
    plain = TrainConfig.read(REPO / "recipes" / "axialnet-class.toml")
    masked = TrainConfig.read(REPO / "recipes" / "axialnet-mask.toml")
    assert changed_keys(plain, masked) == ["name", "mask_loss"]


def test_the_paper_s_recipe_names_each_known_defect_of_its_code():
    plain = TrainConfig.read(REPO / "recipes" / "axialnet-class.toml")
    others = {"name", "layout"}
    defects = set(changed_keys(plain, TrainConfig(data=plain.data))) - others
    assert defects == {"view", "augmentation", "downsampling"}


def test_changes_reach_into_tables(recipe):
    changes = parse_changes(
        ["epochs=2", "preparation.group=1", "name=mine", "maps = 'gradcam'"]
    )
    config = TrainConfig.read(recipe, **changes)
    assert (config.epochs, config.preparation.group) == (2, 1)
    assert (config.name, config.maps) == ("mine", "gradcam")


def test_a_config_survives_the_run_folder(recipe, tmp_path):
    config = TrainConfig.read(recipe)
    (tmp_path / "config.json").write_text(config.model_dump_json())
    assert TrainConfig.read(tmp_path / "config.json") == config


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"learning_rte": 0.1}, "'learning_rte' is no key .* do you mean 'learning_rate'"),
        ({"preparation.windw_hu": [0, 1]}, "do you mean 'preparation.window_hu'"),
        ({"zzzz": 1}, "'zzzz' is no key of a config$"),
        ({"mask_loss": "mine"}, "mask_loss is 'mine', expected one of published"),
        ({"architecture": "ResNet"}, "architecture is 'ResNet', expected one of AxialNet"),
        ({"epochs": 0}, "epochs: Input should be greater than or equal to 1"),
        ({"labels": ["a", "a"]}, "labels must be at least one name, each once"),
        ({"epochs.much": 1}, "epochs is no table"),
    ],
)
def test_what_is_wrong_is_told_with_its_key(recipe, changes, said):
    with pytest.raises(HirescamError, match=said):
        TrainConfig.read(recipe, **changes)


def test_a_change_without_a_value_is_refused():
    with pytest.raises(HirescamError, match="write key=value"):
        parse_changes(["epochs"])


def test_a_file_that_is_no_toml_is_refused(tmp_path):
    (tmp_path / "broken.toml").write_text("epochs = = 2")
    with pytest.raises(HirescamError, match=r"broken\.toml is no config"):
        TrainConfig.read(tmp_path / "broken.toml")


def test_a_run_may_go_on_elsewhere_if_a_step_has_as_many_scans():
    here = TrainConfig(data="cases.csv", accumulate=4)
    spread = {"processes": 2, "nodes": 2, "accumulate": 1, "device": "cuda"}
    assert changed_keys(here, here.model_copy(update=spread)) == []
    assert changed_keys(here, here.model_copy(update={"nodes": 2})) == ["scans_per_step"]
