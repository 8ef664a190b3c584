"""Whatever is killed, and whenever: the next run goes on, and the end is the same."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from hirescam.atomic import LOCK, MARK
from hirescam.cohort.ledger import Status, read_ledgers
from hirescam.cohort.manifest import read_manifest
from hirescam.cohort.run import run_cohort
from make_cohort import Here, Obeying, contents, write_cohort

SCANS = 30
RUN = """
import sys
from pathlib import Path
from hirescam.cohort.manifest import read_manifest
from hirescam.cohort.executor import Processes
from hirescam.cohort.run import run_cohort
from make_cohort import Obeying

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    entries = read_manifest(folder / "data/manifest.csv")
    run_cohort(Obeying(folder, seconds=0.05), entries, folder / "out", Processes(2))
"""


def start(folder):
    script = folder / "run.py"
    script.write_text(RUN)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen([sys.executable, script, folder], env=environment)


def workers(pid):
    """The processes that work on scans for another; one more tidies up for multiprocessing."""
    found = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    return [int(line.split()[0]) for line in found.stdout.splitlines() if "spawn_main" in line]


def done(folder):
    tries = read_ledgers(folder / "out").values() if (folder / "out").exists() else ()
    return sum(of[-1].status is Status.done for of in tries)


def kill_at_some_moment(main, folder, chance, *, worker):
    """Let a few scans be done, then kill the main process or one that works for it."""
    before, patience = done(folder), time.monotonic() + 30
    while done(folder) < min(before + 3, SCANS) and time.monotonic() < patience:
        time.sleep(0.05)
    time.sleep(chance.uniform(0, 0.1))
    working = workers(main.pid)
    victim = chance.choice(working) if worker and working else main.pid
    with suppress(ProcessLookupError):
        os.kill(victim, signal.SIGKILL)
    return working


def test_killed_at_random_moments_a_cohort_ends_with_the_same_bytes(tmp_path):
    entries = read_manifest(write_cohort(tmp_path / "data", ["fine"] * SCANS))
    chance = random.Random(0)
    main = start(tmp_path)
    kill_at_some_moment(main, tmp_path, chance, worker=True)
    orphans = kill_at_some_moment(main, tmp_path, chance, worker=False)
    main.wait()
    patience = time.monotonic() + 5
    while any(Path(f"/proc/{pid}").exists() for pid in orphans):
        assert time.monotonic() < patience, "a process outlived the one it worked for"
        time.sleep(0.01)
    assert start(tmp_path).wait() == 0

    tries = read_ledgers(tmp_path / "out")
    ends = [
        [each.status for each in of if each.status is not Status.started]
        for of in tries.values()
    ]
    assert all(of.count(Status.done) == 1 for of in ends), "nothing is done twice"
    begun = sum(each.status is Status.started for of in tries.values() for each in of)
    assert SCANS < begun <= SCANS + 3, "only what was in flight is begun anew"
    run_cohort(Obeying(tmp_path), entries, tmp_path / "undisturbed", Here())
    left, right = contents(tmp_path / "out/cases"), contents(tmp_path / "undisturbed/cases")
    assert left == right
    assert len(left) == SCANS
    assert {path.name for path in (tmp_path / "out").rglob(".*")} == {MARK, LOCK}
