"""A disk that becomes so full that not even the ledger can grow."""

import subprocess

import pytest

from hirescam.cohort.ledger import read_ledgers
from hirescam.cohort.manifest import read_manifest
from hirescam.cohort.run import run_cohort
from hirescam.errors import WriteError
from make_cohort import Here, Obeying, write_cohort

SMALL, LARGE = "size=400k", "size=64m"
SCANS = 250
"""More than find room, and more than there is room to tell that they found none."""


@pytest.fixture
def disk(tmp_path):
    """A small file system of its own."""
    where = tmp_path / "disk"
    where.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", SMALL, "tmpfs", where]
    if subprocess.run(mount, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("a small disk can only be mounted as root")
    yield where
    subprocess.run(["umount", where], check=True)


def test_a_run_whose_ledger_is_full_says_so_and_the_next_one_finishes(disk, tmp_path):
    entries = read_manifest(write_cohort(tmp_path / "data", ["fine"] * SCANS))
    step, out = Obeying(tmp_path), disk / "out"
    with pytest.raises(WriteError, match=r"ledger\.jsonl: No space left .* run this again"):
        run_cohort(step, entries, out, Here())
    tries = read_ledgers(out)
    assert 0 < len(tries) < SCANS
    with pytest.raises(WriteError, match="No space left"):
        run_cohort(step, entries, out, Here())
    subprocess.run(["mount", "-o", f"remount,{LARGE}", disk], check=True)
    whole = [id for id, of in tries.items() if of[-1].status == "done"]
    tally = run_cohort(step, entries, out, Here())
    assert (tally.before, tally.done, tally.left) == (len(whole), SCANS - len(whole), 0)
    assert len(list((out / "cases").iterdir())) == SCANS
