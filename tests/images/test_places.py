"""Places: what a file says of them, and a mask loss that keeps a network's evidence there."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from hirescam.errors import ReadError
from hirescam.images.fit import Recipe, fit
from hirescam.images.measure import PhotographScores, evidence_outside
from hirescam.images.networks import flattened
from hirescam.images.parts import PhotographInputs
from hirescam.images.photographs import Photograph
from hirescam.images.places import Box, allowed_places, read_places
from hirescam.methods import hirescam

CLASSES = ("road", "sky", "sign")
TEXT = """
[sky]
above = 0.5
[road]
below = 0.75
left_of = 0.25
[sign]
boxes = [[0.0, 0.5, 0.5, 1.0]]
"""


def written(folder, text):
    path = folder / "places.toml"
    path.write_text(text)
    return path


def test_half_planes_and_boxes_cover_the_cells_whose_centres_they_hold(tmp_path):
    places = read_places(written(tmp_path, TEXT), CLASSES)
    allowed = allowed_places(places, CLASSES, np.ones((1, 3)), (4, 4))[0].astype(int)
    road, sky, sign = allowed
    np.testing.assert_array_equal(road, [[1, 0, 0, 0]] * 3 + [[1, 1, 1, 1]])
    np.testing.assert_array_equal(sky, [[1, 1, 1, 1]] * 2 + [[0, 0, 0, 0]] * 2)
    np.testing.assert_array_equal(sign, [[0, 0, 1, 1]] * 2 + [[0, 0, 0, 0]] * 2)


def test_a_class_of_which_nothing_is_said_may_be_anywhere_and_an_absent_one_nowhere():
    labels = np.array([[1.0, 0.0, 1.0]])
    allowed = allowed_places({"road": [Box(top=0.5)]}, CLASSES, labels, (2, 2))[0]
    assert allowed[0].tolist() == [[False, False], [True, True]]
    assert not allowed[1].any()
    assert allowed[2].all()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[skye]\nabove = 0.5", "tells of 'skye', which is none of the classes"),
        ("[sky]\nover = 0.5", "'over' is not understood: expected above, below"),
        ("[sky]\nabove = 'top'", "could not convert"),
        ("[sky]\nboxes = [[0.5, 0.0, 0.2, 1.0]]", "holds no place"),
        ("[sky]", "nothing holds no place"),
        ("sky = 0.5", "is not understood"),
        ("[sky", "is no TOML file"),
    ],
)
def test_what_a_file_gets_wrong_is_named(text, says, tmp_path):
    with pytest.raises(ReadError, match=says):
        read_places(written(tmp_path, text), CLASSES)


def skies(count, seed):
    """Half of the pictures have a faint sky above and, nearly always, a bright mark below."""
    random = np.random.default_rng(seed)
    x = random.normal(0, 0.5, (count, 3, 8, 8)).astype(np.float32)
    sky = np.arange(count) % 2 == 0
    x[sky, 2, :4] += 0.4
    plain = x.copy()
    x[sky, 0, 5:7, 5:7] += 2
    return torch.from_numpy(x), torch.from_numpy(plain), sky


def in_memory(number, shown):
    """A photograph whose file and masks nobody opens."""
    labels = np.array([shown], np.float32)
    return Photograph(str(number), Path(f"{number}.jpg"), labels, lambda: None)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A network that learnt skies with the mask loss, and one that learnt them without."""
    x, _, sky = skies(64, seed=0)
    photographs = [in_memory(number, shown) for number, shown in enumerate(sky)]
    places = allowed_places({"sky": [Box(bottom=0.5)]}, ["sky"], sky[:, None] * 1.0, (4, 4))

    def batches(order):
        return iter(torch.split(x[list(order)], 16))

    def evaluate(network):
        return PhotographScores(network(x).detach(), torch.zeros(2, 0, dtype=torch.float64))

    networks = {}
    for loss in ("present", None):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            trunk = nn.Sequential(nn.Conv2d(3, 8, 2, stride=2), nn.ReLU())
            network = flattened(trunk, 8, 4, 1)
        part = PhotographInputs(photographs, batches, torch.from_numpy(places))
        recipe = Recipe(
            batch=16,
            epochs=20,
            patience=20,
            optimiser="adamw",
            learning_rate=2e-2,
            mask_loss=loss,
            mask_loss_weight=3.0,
        )
        folder = tmp_path_factory.mktemp("run")
        fit(network, part, evaluate, part.labels, recipe, folder)
        networks[loss] = network
    return networks


def outside(network, x):
    maps = hirescam(network, x, layer=network.features)[:, 0].clamp(min=0)
    return float(maps[:, 2:].sum() / maps.sum())


def test_the_mask_loss_keeps_evidence_for_the_sky_above(trained):
    x, _, sky = skies(32, seed=1)
    assert outside(trained[None], x[sky]) > 0.4
    assert outside(trained["present"], x[sky]) < 0.15


def test_evidence_outside_is_that_of_shown_classes(trained):
    x, _, sky = skies(32, seed=1)
    photographs = [in_memory(number, shown) for number, shown in enumerate(sky)]
    part = PhotographInputs(photographs, lambda order: iter(torch.split(x[list(order)], 5)))
    allowed = allowed_places({"sky": [Box(bottom=0.5)]}, ["sky"], np.ones((32, 1)), (4, 4))
    found = evidence_outside(trained[None], part, torch.from_numpy(allowed))
    assert found == pytest.approx(outside(trained[None], x[sky]))


def test_and_its_scores_lose_less_when_the_mark_below_is_taken_away(trained):
    x, plain, sky = skies(32, seed=1)
    with torch.no_grad():
        lost = {
            loss: float((network(x[sky]) - network(plain[sky])).mean())
            for loss, network in trained.items()
        }
    assert lost["present"] < 0.3 * lost[None]
