"""The loader: the scans that were asked for, in order, from memory that does not grow."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from hirescam.errors import ReadError
from hirescam.training import assemble
from hirescam.training.datasets.read import read_cases
from hirescam.training.loader import PreparedScans, loading
from hirescam.training.prepared import Files, grid_of, prepare_all
from hirescam.training.sampler import COLUMNS, FlipRotation, SamplerItem, sampler_items
from make_cases import small_config, write_cases

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    config = small_config(write_cases(tmp_path_factory.mktemp("cases"), train=6))
    cases = read_cases(config)
    grid = grid_of(assemble.initial_model(config, cases))
    of_split = cases.splits["train"]
    files = prepare_all(of_split, grid, config.data.parent / "cache", with_organs=True)
    return PreparedScans(of_split, files, grid, cases.anatomy)


def drawn(scans, threads):
    order = np.random.default_rng(0).integers(len(scans), size=40).tolist()
    chosen = list(sampler_items(order, seed=3, epoch=0, augment=True))
    with loading(scans, chosen, device=CPU, threads=threads) as samples:
        return [(s.item, s.x.clone(), s.labels, s.allowed) for s in samples]


def test_the_number_of_threads_changes_no_bit_and_no_order(scans):
    one, three = drawn(scans, 1), drawn(scans, 3)
    assert [each[0] for each in one] == [each[0] for each in three]
    for a, b in zip(one, three, strict=True):
        assert all(torch.equal(x, y) for x, y in zip(a[1:], b[1:], strict=True))


def test_few_scans_are_in_memory_however_many_are_read(scans, monkeypatch):
    asked = []
    real = PreparedScans.read

    def read(self, item, memory=None):
        asked.append(memory.data_ptr())
        return real(self, item, memory)

    monkeypatch.setattr(PreparedScans, "read", read)
    with loading(
        scans, [SamplerItem(n % 6) for n in range(60)], device=CPU, threads=2
    ) as samples:
        fed_from = {sample.x.data_ptr() for sample in samples}
    assert len(asked) == 60
    assert len(set(asked)) <= 4
    assert len(fed_from) == 1


def test_scans_are_read_while_the_network_has_one(scans, monkeypatch):
    second = threading.Event()
    real = PreparedScans.read

    def read(self, item, memory=None):
        if item.index == 1:
            second.set()
        return real(self, item, memory)

    monkeypatch.setattr(PreparedScans, "read", read)
    with loading(scans, map(SamplerItem, range(3)), device=CPU) as samples:
        next(samples)
        assert second.wait(timeout=10)


def test_a_damaged_scan_stops_with_its_name_and_no_thread_stays(scans, tmp_path):
    damaged = tmp_path / "damaged.b2nd"
    damaged.write_bytes(scans.files[0].voxels.read_bytes()[:-100])
    broken = replace(scans, files=(Files(damaged, None),))
    before = threading.active_count()
    with (
        pytest.raises(ReadError, match=r"damaged\.b2nd"),
        loading(broken, [SamplerItem(0)] * 9, device=CPU, threads=3) as samples,
    ):
        next(samples)
    assert threading.active_count() == before


def test_a_loader_that_is_left_early_leaves_no_thread(scans):
    before = threading.active_count()
    with loading(scans, map(SamplerItem, [0] * 50), device=CPU, threads=2) as samples:
        next(samples)
    assert threading.active_count() == before


def test_waiting_is_told_and_turned_scans_fit_the_same_memory(scans):
    turns = [FlipRotation(None, 1), FlipRotation(COLUMNS, 0), FlipRotation()]
    with loading(scans, [SamplerItem(0, turn) for turn in turns], device=CPU) as samples:
        waited = [sample.waited_s for sample in samples]
    assert all(each >= 0 for each in waited)
    assert waited[0] > 0
