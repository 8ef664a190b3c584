"""Fit: it learns, takes a run up where it stands, and keeps the best weights."""

import pytest
import torch
from torch import nn

from hirescam.images.fit import PAPER, Recipe, fit
from hirescam.images.measure import evaluator, read_masks
from hirescam.images.networks import flattened
from hirescam.images.parts import read_part
from hirescam.images.read import read_photographs
from hirescam.images.results import mean_auroc
from make_photographs import SHAPES, scenes, write_mask_folders

SIDE = 32
RECIPE = Recipe(batch=8, epochs=6, optimiser="adamw", learning_rate=1e-2)


class Interrupted(Exception):
    pass


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    found = read_photographs(write_mask_folders(folder, scenes(32), scenes(16, start=32)))
    return [
        read_part(found.splits[split], side=SIDE, batch=8, threads=1)
        for split in ("train", "val")
    ]


def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        trunk = nn.Sequential(nn.Conv2d(3, 16, 4, stride=4), nn.ReLU(), nn.Dropout(0.1))
        return flattened(trunk, 16, SIDE // 4, len(SHAPES))


def run(parts, folder, recipe=RECIPE, stop_after=None):
    """Fit anew, or go on; `stop_after` epochs the process is taken to die."""
    training, validation = parts
    masks = read_masks(validation.photographs, SIDE)
    evaluate = evaluator(validation, masks, validation, masks)

    def on_epoch(done, of):
        if done == stop_after:
            raise Interrupted

    net = network()
    history = fit(net, training, evaluate, validation.labels, recipe, folder, on_epoch=on_epoch)
    return net, history


@pytest.fixture(scope="module")
def whole(parts, tmp_path_factory):
    return run(parts, tmp_path_factory.mktemp("run"))


def test_shapes_are_learnt_from_whole_image_labels_and_found_by_hirescam(parts, whole):
    history = whole[1]
    assert mean_auroc(history, parts[1].labels.numpy()) > 0.95
    found_at_first, found = history.ious[0, 0].mean(), history.ious[history.best, 0].mean()
    assert found > max(0.3, found_at_first)


def test_a_run_that_died_ends_as_one_that_did_not(parts, whole, tmp_path):
    with pytest.raises(Interrupted):
        run(parts, tmp_path, stop_after=2)
    net, history = run(parts, tmp_path)
    for name, value in net.state_dict().items():
        assert torch.equal(value, whole[0].state_dict()[name])
    assert (history.valid_loss == whole[1].valid_loss).all()
    assert (history.ious == whole[1].ious).all()


def test_what_is_finished_is_not_trained_again(parts, tmp_path):
    first = run(parts, tmp_path, Recipe(batch=8, epochs=1))[1]
    again = run(parts, tmp_path, Recipe(batch=8, epochs=1), stop_after=0)[1]
    assert (first.scores == again.scores).all()


def test_patience_ends_a_run_and_the_best_weights_stay(parts, tmp_path):
    wild = Recipe(batch=8, epochs=20, patience=2, optimiser="sgd", learning_rate=0.1)
    net, history = run(parts, tmp_path, wild)
    assert len(history.valid_loss) == history.best + 1 + wild.patience < wild.epochs
    validation = parts[1]
    with torch.no_grad():
        scores = torch.cat([net(x) for x in validation.batches(range(16))])
    torch.testing.assert_close(scores, torch.from_numpy(history.scores[history.best]))


def test_the_default_recipe_is_the_papers():
    optimiser = PAPER.new_optimiser(nn.Linear(1, 1))
    assert optimiser.defaults["momentum"] == 0.99
    assert optimiser.defaults["lr"] == 1e-3
    assert (PAPER.batch, PAPER.patience, PAPER.mask_loss) == (64, 15, None)
