"""Parts: stored features are what the trunk makes of the photographs, computed once."""

import os

import numpy as np
import pytest
import torch
from torch import nn

from hirescam.images.parts import read_part, stored_part
from hirescam.images.read import read_photographs
from make_photographs import scenes, write_voc


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    folder = write_voc(tmp_path_factory.mktemp("voc"), scenes(7), scenes(1, start=7))
    return read_photographs(folder).splits["train"]


class Counting(nn.Module):
    """A trunk that counts the photographs it has seen."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.layer = nn.Conv2d(3, 4, 8, stride=8)
        self.seen = 0

    def forward(self, x):
        self.seen += len(x)
        return self.layer(x)


def part_of(training):
    return read_part(training, side=32, batch=3, threads=2)


def test_stored_features_are_the_trunks_in_any_order(training, tmp_path):
    part, trunk = part_of(training), Counting()
    stored = stored_part(part, trunk, tmp_path, "train", batch=2)
    order = [5, 0, 3, 6, 1]
    expected = trunk(torch.cat(list(part.batches(order))))
    found = list(stored.batches(order))
    assert [len(batch) for batch in found] == [2, 2, 1]
    torch.testing.assert_close(torch.cat(found), expected)


def test_features_are_computed_once_and_anew_when_photograph_or_trunk_change(
    training, tmp_path
):
    part, trunk = part_of(training), Counting()
    for _ in range(2):
        stored_part(part, trunk, tmp_path, "train", batch=2)
    assert trunk.seen == 7
    os.utime(training[2].path, ns=(1, 1))
    stored_part(part, trunk, tmp_path, "train", batch=2)
    assert trunk.seen == 14
    nn.init.zeros_(trunk.layer.bias)
    stored_part(part, trunk, tmp_path, "train", batch=2)
    assert trunk.seen == 21


def test_some_of_a_part_keep_their_labels_and_pictures(training):
    part = part_of(training)
    some = part.some([4, 2])
    assert torch.equal(some.labels, part.labels[[4, 2]])
    assert torch.equal(next(some.batches([1, 0])), next(part.batches([2, 4])))


def test_one_thread_and_many_read_the_same(training):
    one, many = (
        torch.cat(list(read_part(training, side=32, batch=2, threads=n).batches(range(7))))
        for n in (1, 4)
    )
    np.testing.assert_array_equal(one, many)
