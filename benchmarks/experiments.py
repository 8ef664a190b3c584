"""Experiments: every table and figure of the paper in full, by its command, one after another.

On simulated chests; `voc` on photographs that are not part of this repository: name their
folder in $HIRESCAM_PHOTOGRAPHS. All share FOLDER, so a network is trained once for all of them,
and what was stopped goes on in the next run. Hours on two cores.

    python benchmarks/experiments.py [FOLDER=experiments] [NAME …]
"""

import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter

from measure import hardware, table

from hirescam.experiments.registry import EXPERIMENTS

PHOTOGRAPHS = os.environ.get("HIRESCAM_PHOTOGRAPHS") or str(
    Path(__file__).parents[2] / "shared" / "data" / "images" / "voc"
)


def main(folder="experiments", *names):
    """Run, print each table as it comes, and at last what each took."""
    print(f"\n# Experiments in full\n\n{hardware()}\n")
    rows = []
    for name in names or EXPERIMENTS:
        if name == "voc" and not Path(PHOTOGRAPHS).is_dir():
            rows.append(
                (name, "–", "no photographs: name their folder in $HIRESCAM_PHOTOGRAPHS")
            )
            continue
        began = perf_counter()
        failed = subprocess.run(command(name, folder)).returncode
        minutes = (perf_counter() - began) / 60
        rows.append((name, f"{minutes:.1f}", "failed" if failed else EXPERIMENTS[name]))
    table(("experiment", "minutes, of what was missing", "what it asks"), rows)
    sys.exit(any(what == "failed" for _, _, what in rows))


def command(name, folder):
    """As a user gives it; progress goes to stderr, the table to stdout."""
    data = ("--data", PHOTOGRAPHS) if name == "voc" else ()
    return [sys.executable, "-m", "hirescam", "experiments", name, "--out", folder, *data]


if __name__ == "__main__":
    main(*sys.argv[1:])
