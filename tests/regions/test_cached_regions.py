"""Regions on disk: two kilobytes, the same bits, and never those of something else."""

import numpy as np
import pytest

from hirescam.anatomy import ORGANS
from hirescam.ct.grid import Cells
from hirescam.ct.preparation import Preparation
from hirescam.errors import ReadError
from hirescam.regions.downsample import (
    cached_organs_on_map,
    read_organs_on_map,
    regions_key,
    save_organs_on_map,
)

SHAPE = (135, 6, 6)
CELLS = (Cells(1.0, 3.0, 135), Cells(128.0, 32.0, 6), Cells(128.0, 32.0, 6))
GIVEN = {
    "source": "a hash",
    "preparation": Preparation(),
    "cells": CELLS,
    "downsampling": "centre",
    "fraction": 0.0,
    "dilated": False,
}


@pytest.fixture
def organs():
    return np.random.default_rng(0).random((len(ORGANS), *SHAPE)) > 0.5


def test_regions_are_read_back_from_some_two_kilobytes(organs, tmp_path):
    path = save_organs_on_map(organs, tmp_path / "regions.npy")
    np.testing.assert_array_equal(read_organs_on_map(path, SHAPE), organs)
    assert path.stat().st_size == 128 + 3 * 135 * 36 // 8 + 1


def test_the_same_ingredients_have_the_same_key():
    assert regions_key(**GIVEN) == regions_key(**GIVEN)


@pytest.mark.parametrize(
    "change",
    [
        {"source": "another"},
        {"preparation": Preparation(shape=(402, 420, 420))},
        {"cells": (CELLS[0], CELLS[1], Cells(35.0, 70.0, 6))},
        {"downsampling": "nearest"},
        {"fraction": 0.1},
        {"dilated": True},
    ],
    ids=lambda change: next(iter(change)),
)
def test_any_other_ingredient_has_another_key(change):
    assert regions_key(**(GIVEN | change)) != regions_key(**GIVEN)


def test_regions_are_made_once(organs, tmp_path):
    made = []

    def make():
        made.append(1)
        return organs

    for _ in range(2):
        found = cached_organs_on_map(tmp_path, "key", SHAPE, make)
        np.testing.assert_array_equal(found, organs)
    assert len(made) == 1


def test_a_map_of_another_shape_is_refused(organs, tmp_path):
    path = save_organs_on_map(organs, tmp_path / "regions.npy")
    with pytest.raises(ReadError, match="of another map"):
        read_organs_on_map(path, (134, 6, 6))


def test_a_damaged_file_is_refused(organs, tmp_path):
    path = save_organs_on_map(organs, tmp_path / "regions.npy")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ReadError, match="holds no regions"):
        read_organs_on_map(path, SHAPE)
