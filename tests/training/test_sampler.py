"""Turns: the published probabilities, and all that lies in a scan flip_rotate with it."""

import random
from collections import Counter

import numpy as np
import pytest
import torch

from hirescam.training.sampler import (
    COLUMNS,
    ROWS,
    SLICES,
    FlipRotation,
    draw_flip_rotation,
    epoch_order,
    exchanged_sides,
    flip_rotate,
    sampler_items,
    seeded,
)

TURNS = [
    FlipRotation(flip, quarter_turns)
    for flip in (None, SLICES, ROWS, COLUMNS)
    for quarter_turns in range(4)
]
LABELS = ("right_lung_mass", "left_lung_mass", "heart_cabg", "left_lung_cyst", "copyright")


def test_half_are_flipped_and_half_are_turned_as_published():
    random = np.random.default_rng(0)
    drawn = [draw_flip_rotation(random) for _ in range(24_000)]
    flips = Counter(turn.flipped for turn in drawn)
    quarter_turns = Counter(turn.quarter_turns for turn in drawn)
    assert flips[None] / 24_000 == pytest.approx(1 / 2, abs=0.02)
    assert quarter_turns[0] / 24_000 == pytest.approx(1 / 2, abs=0.02)
    for axis in (SLICES, ROWS, COLUMNS):
        assert flips[axis] / 24_000 == pytest.approx(1 / 6, abs=0.02)
    for count in (1, 2, 3):
        assert quarter_turns[count] / 24_000 == pytest.approx(1 / 6, abs=0.02)
    both = sum(turn.flipped is not None and turn.quarter_turns > 0 for turn in drawn)
    assert both / 24_000 == pytest.approx(1 / 4, abs=0.02)


@pytest.mark.parametrize("turn", TURNS, ids=str)
def test_flip_first_then_quarter_turns_in_the_plane_of_a_slice(turn):
    values = np.random.default_rng(1).random((4, 5, 5))
    expected = values
    if turn.flipped is not None:
        expected = np.flip(expected, {SLICES: 0, ROWS: 1, COLUMNS: 2}[turn.flipped])
    expected = np.rot90(expected, turn.quarter_turns, axes=(1, 2))
    np.testing.assert_array_equal(flip_rotate(values, turn), expected)
    np.testing.assert_array_equal(flip_rotate(values[None], turn)[0], expected)


@pytest.mark.parametrize("turn", TURNS, ids=str)
def test_block_means_of_a_turned_scan_are_the_turned_block_means(turn):
    scan = np.random.default_rng(2).random((6, 12, 12))

    def blocks(values):
        return values.reshape(2, 3, 3, 4, 3, 4).mean(axis=(1, 3, 5))

    np.testing.assert_allclose(blocks(flip_rotate(scan, turn)), flip_rotate(blocks(scan), turn))


def test_a_flip_from_left_to_right_exchanges_the_sides():
    assert exchanged_sides(LABELS, FlipRotation(COLUMNS)).tolist() == [1, 0, 2, 3, 4]


@pytest.mark.parametrize(
    "turn",
    [FlipRotation(), FlipRotation(ROWS), FlipRotation(SLICES), FlipRotation(quarter_turns=2)],
    ids=str,
)
def test_no_other_turn_exchanges_labels(turn):
    assert exchanged_sides(LABELS, turn).tolist() == [0, 1, 2, 3, 4]


def test_labels_without_sides_are_never_exchanged():
    assert exchanged_sides(("lung_mass", "heart_cabg"), FlipRotation(COLUMNS)).tolist() == [
        0,
        1,
    ]


def test_an_epoch_sees_each_scan_once():
    assert sorted(epoch_order(7, seed=0, epoch=3)) == list(range(7))


def test_the_last_step_is_filled_with_the_first_scans():
    order = epoch_order(7, seed=0, epoch=3, scans_per_step=4)
    assert len(order) == 8
    assert order[7] == order[0]


def test_epochs_and_seeds_differ():
    orders = {tuple(epoch_order(20, seed=s, epoch=e)) for s in range(3) for e in range(3)}
    assert len(orders) == 9


def test_what_is_random_about_a_scan_differs_by_epoch_and_by_seed():
    """The turns and seeds of the same positions, which the order does not decide."""
    order = list(range(20))
    seen = [
        tuple(sampler_items(order, seed=seed, epoch=epoch, augment=True))
        for seed in range(3)
        for epoch in range(3)
    ]
    assert len({tuple(item.seed for item in items) for items in seen}) == 9
    assert len({tuple(item.turn for item in items) for items in seen}) == 9


def test_an_epoch_that_starts_in_the_middle_goes_on_as_if_it_had_not():
    order = epoch_order(9, seed=1, epoch=2)
    whole = list(sampler_items(order, seed=1, epoch=2, augment=True))
    assert list(sampler_items(order, seed=1, epoch=2, augment=True, start=4)) == whole[4:]
    assert len({item.seed for item in whole}) == 9


def test_processes_share_an_epoch_without_overlap():
    order = epoch_order(8, seed=1, epoch=2)
    whole = list(sampler_items(order, seed=1, epoch=2, augment=True))
    shares = [
        sampler_items(order, seed=1, epoch=2, augment=True, start=r, every=2) for r in (0, 1)
    ]
    assert [item for pair in zip(*shares, strict=True) for item in pair] == whole


def test_seeded_decides_every_generator_and_puts_each_back():
    def draw():
        legacy = np.random.random()  # noqa: NPY002 (of this generator it is told)
        return random.random(), legacy, float(torch.rand(()))

    with seeded(1):
        before, after = draw(), draw()
    with seeded(1):
        assert draw() == before
        with seeded(5):
            first = draw()
        assert draw() == after
    with seeded(5):
        assert draw() == first
    with seeded(6):
        assert draw() != first
