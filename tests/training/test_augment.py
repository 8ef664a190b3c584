"""Turns: the published probabilities, and all that lies in a scan turned with it."""

from collections import Counter

import numpy as np
import pytest

from hirescam.training.sampler import (
    COLUMNS,
    ROWS,
    SLICES,
    Turn,
    draw_turn,
    exchanged,
    turned,
)

TURNS = [
    Turn(flip, quarters) for flip in (None, SLICES, ROWS, COLUMNS) for quarters in range(4)
]
LABELS = ("right_lung_mass", "left_lung_mass", "heart_cabg", "left_lung_cyst", "copyright")


def test_half_are_flipped_and_half_are_turned_as_published():
    random = np.random.default_rng(0)
    drawn = [draw_turn(random) for _ in range(24_000)]
    flips = Counter(turn.flipped for turn in drawn)
    quarters = Counter(turn.quarters for turn in drawn)
    assert flips[None] / 24_000 == pytest.approx(1 / 2, abs=0.02)
    assert quarters[0] / 24_000 == pytest.approx(1 / 2, abs=0.02)
    for axis in (SLICES, ROWS, COLUMNS):
        assert flips[axis] / 24_000 == pytest.approx(1 / 6, abs=0.02)
    for count in (1, 2, 3):
        assert quarters[count] / 24_000 == pytest.approx(1 / 6, abs=0.02)
    both = sum(turn.flipped is not None and turn.quarters > 0 for turn in drawn)
    assert both / 24_000 == pytest.approx(1 / 4, abs=0.02)


@pytest.mark.parametrize("turn", TURNS, ids=str)
def test_flip_first_then_quarter_turns_in_the_plane_of_a_slice(turn):
    values = np.random.default_rng(1).random((4, 5, 5))
    expected = values
    if turn.flipped is not None:
        expected = np.flip(expected, {SLICES: 0, ROWS: 1, COLUMNS: 2}[turn.flipped])
    expected = np.rot90(expected, turn.quarters, axes=(1, 2))
    np.testing.assert_array_equal(turned(values, turn), expected)
    np.testing.assert_array_equal(turned(values[None], turn)[0], expected)


@pytest.mark.parametrize("turn", TURNS, ids=str)
def test_block_means_of_a_turned_scan_are_the_turned_block_means(turn):
    scan = np.random.default_rng(2).random((6, 12, 12))

    def blocks(values):
        return values.reshape(2, 3, 3, 4, 3, 4).mean(axis=(1, 3, 5))

    np.testing.assert_allclose(blocks(turned(scan, turn)), turned(blocks(scan), turn))


def test_a_flip_from_left_to_right_exchanges_the_sides():
    assert exchanged(LABELS, Turn(COLUMNS)).tolist() == [1, 0, 2, 3, 4]


@pytest.mark.parametrize("turn", [Turn(), Turn(ROWS), Turn(SLICES), Turn(quarters=2)], ids=str)
def test_no_other_turn_exchanges_labels(turn):
    assert exchanged(LABELS, turn).tolist() == [0, 1, 2, 3, 4]


def test_labels_without_sides_are_never_exchanged():
    assert exchanged(("lung_mass", "heart_cabg"), Turn(COLUMNS)).tolist() == [0, 1]
