"""Damaged NIfTI files: a short run of benchmarks/fuzz_nifti.py."""

from pathlib import Path

import pytest

from make import REPO


@pytest.fixture
def fuzz(monkeypatch):
    monkeypatch.syspath_prepend(REPO / "benchmarks")
    import fuzz_nifti

    return fuzz_nifti


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="measures as Linux does")
def test_only_our_own_errors_come_soon_and_in_little_memory(fuzz, tmp_path, capfd):
    outcomes = []

    def run():
        outcomes.extend(fuzz.outcome(seed, tmp_path) for seed in range(5000, 5150))

    assert fuzz.growth_mib(run) < 200
    assert [it.fault for it in outcomes if it.fault] == []
    assert capfd.readouterr() == ("", "")
    assert {it.kind for it in outcomes} >= {"ReadError", "GeometryError", "VoxelError"}


def test_a_seed_always_makes_the_same_file(fuzz):
    assert fuzz.damaged(7) == fuzz.damaged(7)
    assert fuzz.damaged(7) != fuzz.damaged(8)
