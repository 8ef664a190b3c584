"""Cohorts: what survives kills, lost machines, bad scans and a full disk; what a scan costs.

Simulated chests, a tiny AxialNet, and the commands as a user gives them. Scans are kept in
FOLDER between runs. `kills` and `cost` take minutes to hours at their usual size.

    python benchmarks/cohort.py                               all of them, in a scratch folder
    python benchmarks/cohort.py FOLDER kills [SCANS=1000] [KILLS=20]
    python benchmarks/cohort.py FOLDER ray [SCANS=200]        a node of two is killed
    python benchmarks/cohort.py FOLDER poison [SCANS=400]     5 % of them are bad
    python benchmarks/cohort.py FOLDER disk [SCANS=60]        full in the middle; needs root
    python benchmarks/cohort.py FOLDER cost [FEW=100] [MANY=1000]
"""

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import numpy as np
from measure import hardware, table

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from hirescam.anatomy import ORGANS
from hirescam.cohort.ledger import read_ledgers
from hirescam.ct.reading import read_volume
from hirescam.models.files import save_model
from hirescam.organs.files import save_organs
from hirescam.organs.masks import OrganMasks
from hirescam.simulation.dataset import Plan, make_dataset
from hirescam.simulation.dataset_files import read_truth
from make_models import small_model
from make_poison import POISONS

STEPS = ("prepare", "explain")
NO_RAY_USAGE_STATISTICS = {"RAY_USAGE_STATS_ENABLED": "0"}


def cohort(folder, scans, *, spacing_mm=8.0):
    """A manifest of simulated chests with their organs, and a model, made where missing."""
    data = folder / f"{spacing_mm:g}mm"
    make_dataset(data, Plan(scans, spacing_mm=(spacing_mm,) * 3), jobs=2)
    if not (folder / "small.model").exists():
        save_model(small_model(), folder / "small.model")
    rows = []
    for truth in sorted((data / "truth").glob("*.npz"))[:scans]:
        masks = data / "organs" / f"{truth.stem}.nii.gz"
        if not masks.exists():
            known = read_truth(truth)
            codes = sum(code * known.organs[organ] for code, organ in enumerate(ORGANS, 1))
            made = OrganMasks(codes.astype(np.uint8), known.affine, method="simulated truth")
            save_organs(made, masks)
        rows.append((truth.stem, data / "scans" / f"{truth.stem}.nii.gz", masks))
    return write_manifest(folder / f"{spacing_mm:g}mm-{scans}.csv", rows)


def write_manifest(path, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("id", "path", "organs"), *rows])
    return path


def command(step, manifest, out, *options, jobs=2):
    """A command over a manifest, as a user gives it."""
    of = ("--cohort", manifest) if step == "explain" else (manifest,)
    model = manifest.parent / "small.model"
    given = (*of, "--model", model, "--out", out, "--jobs", jobs, *options)
    return [sys.executable, "-m", "hirescam", step, *map(str, given)]


def run(*arguments, **options):
    """Run it to its end: its exit code and the seconds it took."""
    start = time.perf_counter()
    code = subprocess.run(command(*arguments, **options), stdout=subprocess.DEVNULL).returncode
    return code, time.perf_counter() - start


def results(out):
    """Every result with its bytes: the scans' folders, and the cache of prepared ones."""
    parts = [path for name in ("cases", "cache") for path in (out / name).rglob("*")]
    return {
        path.relative_to(out): path.read_bytes()
        for path in parts
        if path.is_file() and "digests" not in path.parts
    }


def last_statuses(out):
    return Counter(str(tries[-1].status) for tries in read_ledgers(out).values())


def done_lines(out):
    ledger = out / "ledger.jsonl"
    return ledger.read_bytes().count(b'"status": "done"') if ledger.exists() else 0


def workers(pid):
    """The processes that work on scans for another; one more tidies up for multiprocessing."""
    return [child for child, name in children(pid).items() if "spawn_main" in name]


def children(pid):
    """The processes that a process has started, and their command lines."""
    listed = ["ps", "-o", "pid=,args=", "--ppid", str(pid)]
    found = subprocess.run(listed, capture_output=True, text=True, check=False)
    lines = (line.split(maxsplit=1) for line in found.stdout.splitlines())
    return {int(number): name for number, name in lines}


def kills(folder, scans=1000, count=20):
    """Kill the main process and workers at random moments; the end must be the same."""
    manifest, chance = cohort(folder, scans), random.Random(0)
    rows = []
    for step in STEPS:
        quiet, out = folder / f"{step}-quiet", folder / f"{step}-killed"
        shutil.rmtree(quiet, ignore_errors=True)
        shutil.rmtree(out, ignore_errors=True)
        code, seconds = run(step, manifest, quiet)
        victims, main = Counter(), None
        for number in range(1, count + 1):
            while done_lines(out) < number * scans // (count + 1):
                if main is None or main.poll() is not None:
                    main = subprocess.Popen(
                        command(step, manifest, out), stdout=subprocess.DEVNULL
                    )
                time.sleep(0.05)
            time.sleep(chance.uniform(0, 2 * seconds / scans))
            working = workers(main.pid)
            victim = chance.choice([main.pid, *working])
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
                victims["main" if victim == main.pid else "worker"] += 1
            if victim == main.pid:
                main.wait()
        main.wait()
        last_code, _ = run(step, manifest, out)
        rows.append((step, f"{seconds:.0f}", dict(victims), code, last_code, *_twice(out)))
        rows[-1] += (results(out) == results(quiet),)
    header = ("step", "s undisturbed", "killed", "exit", "exit at last", "done")
    table((*header, "done twice", "begun anew", "same bytes"), rows)


def _twice(out):
    """How many scans were done, done more than once, and begun more than once."""
    tries = read_ledgers(out)
    ends = [Counter(str(each.status) for each in of) for of in tries.values()]
    return (
        sum(of["done"] > 0 for of in ends),
        sum(of["done"] > 1 for of in ends),
        sum(of["started"] - 1 for of in ends),
    )


@contextmanager
def ray_node(*options):
    """One node of a Ray cluster, in a process group of its own."""
    node = subprocess.Popen(
        [Path(sys.executable).parent / "ray", "start", "--block", "--num-cpus=1", *options],
        env=os.environ | NO_RAY_USAGE_STATISTICS,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield node
    finally:
        node.terminate()
        node.wait()


def ray(folder, scans=200, port=6397):
    """The same bytes from a cluster of two nodes, one of which is killed in the middle."""
    manifest = cohort(folder, scans)
    here, out = folder / "explain-here", folder / "explain-ray"
    for each in (here, out):
        shutil.rmtree(each, ignore_errors=True)
    code, seconds = run("explain", manifest, here)
    head = ("--head", f"--port={port}", "--include-dashboard=false")
    with ray_node(*head, f"--temp-dir={folder / 'ray'}"):
        time.sleep(10)
        with ray_node(f"--address=127.0.0.1:{port}") as node:
            time.sleep(10)
            main = subprocess.Popen(
                command("explain", manifest, out, "--ray", f"127.0.0.1:{port}")
            )
            while done_lines(out) < scans // 2 and main.poll() is None:
                time.sleep(0.05)
            for pid in (*children(node.pid), node.pid):
                os.kill(pid, signal.SIGKILL)
            ray_code = main.wait()
    done, twice, anew = _twice(out)
    same = results(here) == results(out)
    header = ("exit here", "s here", "exit on Ray", "done", "done twice", "begun anew")
    table(
        (*header, "same bytes"), [(code, f"{seconds:.0f}", ray_code, done, twice, anew, same)]
    )


def poison(folder, scans=400):
    """One scan in twenty is bad, in every way that is known; all others must be done."""
    manifest = cohort(folder, scans)
    with manifest.open() as file:
        rows = [(row["id"], row["path"], row["organs"]) for row in csv.DictReader(file)]
    good = read_volume(rows[0][1])
    bad, kinds = folder / "poison", list(POISONS)
    shutil.rmtree(bad, ignore_errors=True)
    for number in range(scans // 20):
        kind = kinds[number % len(kinds)]
        path = POISONS[kind](bad / f"{number}", good)
        rows.insert(20 * number, (f"bad {number} {kind}", path, ""))
    spoilt, out = write_manifest(folder / "poisoned.csv", rows), folder / "explain-poisoned"
    shutil.rmtree(out, ignore_errors=True)
    code, _ = run("explain", spoilt, out)
    print(f"{scans} good scans, {scans // 20} bad ones of {len(kinds)} kinds: exit {code}\n")
    ends = {id: tries[-1] for id, tries in read_ledgers(out).items()}
    told = Counter((id.startswith("bad"), str(end.status)) for id, end in ends.items())
    table(("bad", "status", "scans"), [(*key, count) for key, count in sorted(told.items())])
    print()
    table(
        ("what", "what the ledger says"),
        [(id, end.reason) for id, end in ends.items() if str(end.status) == "failed"],
    )


def disk(folder, scans=60):
    """A disk that is full in the middle: all that did not fit is told, then done elsewhere."""
    manifest, disk = cohort(folder, scans), folder / "disk"
    disk.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(mount).returncode:
        print("not measured: only root can mount a small disk")
        return
    try:
        code, _ = run("explain", manifest, disk / "out")
        before = last_statuses(disk / "out")
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        again, _ = run("explain", manifest, disk / "out")
        after = last_statuses(disk / "out")
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    table(("disk", "exit", "statuses"), [("1 MiB", code, before), ("64 MiB", again, after)])


def cost(folder, few=100, many=1000):
    """What a scan costs among few and among many, with one process and with two.

    Machines drift: few are explained before and after many, and told is the mean of both.
    """
    with cohort(folder, 20, spacing_mm=3.0).open() as file:
        rows = [(row["path"], row["organs"]) for row in csv.DictReader(file)]
    paces = {}
    for jobs in (1, 2):
        before, paces[jobs, many], after = (
            _seconds_each(folder, rows, scans, jobs) for scans in (few, many, few)
        )
        paces[jobs, few] = (before + after) / 2
    table(
        ("processes", f"s per scan, {few}", f"s per scan, {many}", "differs by"),
        [
            (jobs, f"{a:.4f}", f"{b:.4f}", f"{b / a - 1:+.1%}")
            for jobs in (1, 2)
            for a, b in [(paces[jobs, few], paces[jobs, many])]
        ],
    )
    faster = [paces[1, scans] / paces[2, scans] for scans in (few, many)]
    print(f"\n2 processes are {faster[0]:.2f} and {faster[1]:.2f} times as fast as one")


def _seconds_each(folder, rows, scans, jobs):
    """Explain so many, these rows again and again: from the tenth that was done to the last."""
    of = [(f"{number}", *rows[number % len(rows)]) for number in range(scans)]
    out = folder / f"cost-{scans}-{jobs}"
    shutil.rmtree(out, ignore_errors=True)
    run("explain", write_manifest(folder / f"cost-{scans}.csv", of), out, jobs=jobs)
    lines = map(json.loads, (out / "ledger.jsonl").read_text().splitlines())
    ends = sorted(
        datetime.fromisoformat(line["at"]) for line in lines if line["status"] == "done"
    )[9:]
    return (ends[-1] - ends[0]).total_seconds() / (len(ends) - 1)


PARTS = {"kills": kills, "ray": ray, "poison": poison, "disk": disk, "cost": cost}


def measure(folder, part, *numbers):
    print(f"\n## {part}\n\n{hardware()}\n", flush=True)
    PARTS[part](folder, *numbers)


def main(arguments):
    match arguments:
        case []:
            with tempfile.TemporaryDirectory() as scratch:
                for part in PARTS:
                    measure(Path(scratch), part)
        case [folder, part, *numbers] if part in PARTS:
            where = Path(folder).absolute()
            where.mkdir(parents=True, exist_ok=True)
            measure(where, part, *map(int, numbers))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
