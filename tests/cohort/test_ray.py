"""A Ray cluster of two nodes on this machine: the same bytes, even if one is killed."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from hirescam.cohort.manifest import read_manifest
from hirescam.cohort.ray_cluster import RayCluster
from hirescam.cohort.run import run_cohort
from hirescam.errors import HirescamError
from make_cohort import Here, Obeying, contents, write_cohort

# A token that the cluster and everyone who asks it have; Ray reads it when it is imported.
os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
pytest.importorskip("ray", reason='no Ray here: pip install "hirescam[ray]"')
pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own, over files that it leaves open
SCANS = 40


def free_port():
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return tried.getsockname()[1]


@contextmanager
def node(*options):
    """A node of one core; the tests' helpers can be imported on it."""
    ray = Path(sys.executable).parent / "ray"
    paths = os.pathsep.join(sys.path)
    started = subprocess.Popen(
        [ray, "start", "--block", "--num-cpus=1", *options],
        env=os.environ | {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": paths},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield started
    finally:
        started.terminate()
        started.wait()


def kill(started):
    """Take a node away: all that it runs, at once."""
    listed = ["ps", "-o", "pid=", "--ppid", str(started.pid)]
    found = subprocess.run(listed, capture_output=True, text=True, check=False)
    for pid in (*map(int, found.stdout.split()), started.pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@contextmanager
def joined(first, address):
    """One more node of a cluster, once that answers and has taken it in."""
    wait_for_cores(address, 1, first)
    with node(f"--address={address}") as second:
        wait_for_cores(address, 2, first, second)
        yield second


def wait_for_cores(address, cores, *nodes, seconds=120):
    """Wait until a cluster has so many; a node takes some seconds to come up."""
    count = "import ray, sys; ray.init(sys.argv[1]); print(ray.cluster_resources()['CPU'])"
    patience = time.monotonic() + seconds
    while time.monotonic() < patience and all(each.poll() is None for each in nodes):
        asked = subprocess.run(
            [sys.executable, "-c", count, address], capture_output=True, text=True, check=False
        )
        if asked.returncode == 0 and float(asked.stdout.split()[-1]) >= cores:
            return
    pytest.skip(f"no cluster of {cores} nodes came up within {seconds} s")


def test_a_cluster_that_loses_a_node_ends_with_the_same_bytes(tmp_path):
    entries = read_manifest(write_cohort(tmp_path / "data", ["fine"] * SCANS))
    address, seen = f"127.0.0.1:{free_port()}", []
    port = address.rpartition(":")[2]
    head = ("--head", f"--port={port}", "--include-dashboard=false")
    with (
        tempfile.TemporaryDirectory() as short,  # as the names of sockets must be
        node(*head, f"--temp-dir={short}") as first,
        joined(first, address) as second,
    ):

        def lose_a_node(tally):
            seen.append(tally.done)
            if tally.done == SCANS // 2:
                kill(second)

        step = Obeying(tmp_path, seconds=0.1)
        executor = RayCluster(address)
        tally = run_cohort(step, entries, tmp_path / "out", executor, on_progress=lose_a_node)
    assert (tally.done, tally.failed, tally.killed) == (SCANS, 0, 0)
    run_cohort(Obeying(tmp_path), entries, tmp_path / "here", Here())
    assert contents(tmp_path / "out/cases") == contents(tmp_path / "here/cases")


def test_a_cluster_that_is_not_there_is_told(tmp_path):
    entries = read_manifest(write_cohort(tmp_path / "data", ["fine"]))
    with pytest.raises(HirescamError, match="ray start --head"):
        run_cohort(Obeying(tmp_path), entries, tmp_path / "out", RayCluster("auto"))


def test_a_cluster_asked_without_a_token_is_warned_of(tmp_path, monkeypatch):
    monkeypatch.delenv("RAY_AUTH_MODE")
    entries = read_manifest(write_cohort(tmp_path / "data", ["fine"]))
    with pytest.warns(UserWarning, match="RAY_AUTH_MODE=token"), pytest.raises(HirescamError):
        run_cohort(Obeying(tmp_path), entries, tmp_path / "out", RayCluster("auto"))
