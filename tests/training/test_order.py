"""Order: everything random follows from seed, epoch and position."""

import random

import numpy as np
import torch

from hirescam.training.sampler import epoch_order, seeded, visits


def test_an_epoch_sees_each_scan_once():
    assert sorted(epoch_order(7, seed=0, epoch=3)) == list(range(7))


def test_the_last_step_is_filled_with_the_first_scans():
    order = epoch_order(7, seed=0, epoch=3, scans_per_step=4)
    assert len(order) == 8
    assert order[7] == order[0]


def test_epochs_and_seeds_differ():
    orders = {tuple(epoch_order(20, seed=s, epoch=e)) for s in range(3) for e in range(3)}
    assert len(orders) == 9


def test_an_epoch_that_starts_in_the_middle_goes_on_as_if_it_had_not():
    order = epoch_order(9, seed=1, epoch=2)
    whole = list(visits(order, seed=1, epoch=2, augment=True))
    assert list(visits(order, seed=1, epoch=2, augment=True, start=4)) == whole[4:]
    assert len({visit.seed for visit in whole}) == 9


def test_processes_share_an_epoch_without_overlap():
    order = epoch_order(8, seed=1, epoch=2)
    whole = list(visits(order, seed=1, epoch=2, augment=True))
    shares = [visits(order, seed=1, epoch=2, augment=True, start=r, every=2) for r in (0, 1)]
    assert [visit for pair in zip(*shares, strict=True) for visit in pair] == whole


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
