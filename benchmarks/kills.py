"""Kills: every command that writes is killed at random moments and run again.

    python benchmarks/kills.py [KILLS]       about 100 kills by default, over all commands

After each kill the same command is run to its end: its files have to be those of a run that
nobody disturbed, and nothing else may be left beside them. Needs tests/ (it makes the data).
"""

import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import table

REPO = Path(__file__).parents[1]
sys.path.insert(0, str(REPO / "tests"))
KEPT = {".hirescam.json", ".hirescam.lock"}
VARYING = ("ledger", "metrics.jsonl", "made_with.json", "epochs.csv", "digests/", "cohort.json")
"""Times, hosts and the order of lines differ from run to run."""

_MODEL = "--model my.model --any-values"
COMMANDS = {
    "simulate": "simulate --n 3 --seed 5 --out {out}",
    "segment": "segment scan.nii.gz --out {out}/organs.nii.gz",
    "label": "label reports.csv --out {out}/labels.csv",
    "prepare": f"prepare manifest.csv {_MODEL} --out {{out}}",
    "explain": f"explain scan.nii.gz {_MODEL} --organs none --overwrite --out {{out}}",
    "explain --cohort": f"explain --cohort manifest.csv {_MODEL} --out {{out}}",
    "train": "train recipe.json --resume --out {out}",
    "evaluate": "evaluate run --overwrite --out {out}",
    "evidence": "evidence explained --overwrite --out {out}",
}


def belongings(folder: Path) -> None:
    """Data of every command: scans, a model, reports, a trained run, an explained cohort."""
    import hirescam
    from hirescam.models.files import new_model
    from make_cases import LABELS, PREPARATION, chest, small_config, write_cases

    data = write_cases(folder / "data", train=3, valid=3)
    (folder / "recipe.json").write_text(small_config(data, epochs=2).model_dump_json())
    chest(0, (1, 0)).to_nifti(folder / "scan.nii.gz")
    model = new_model(
        name="small",
        labels=LABELS,
        preparation=hirescam.Preparation(**PREPARATION),
        trained_on="nothing",
        arguments={"widths": (4, 8), "blocks": (1, 1), "neck": (4,)},
    )
    hirescam.save_model(model, folder / "my.model")
    rows = "".join(f"r{number},A nodule in the right upper lobe.\n" for number in range(3000))
    (folder / "reports.csv").write_text(f"id,report\n{rows}")
    scans = "".join(f"s{number},scan.nii.gz\n" for number in range(3))
    (folder / "manifest.csv").write_text(f"id,path\n{scans}")
    for command in (
        "train recipe.json --out run",
        "explain --cohort manifest.csv --model my.model --any-values --out explained",
    ):
        start(command, folder).wait()


def start(command: str, folder: Path) -> subprocess.Popen[bytes]:
    """A command in a process of its own."""
    words = [sys.executable, "-m", "hirescam", *command.split()]
    nowhere = subprocess.DEVNULL
    return subprocess.Popen(words, cwd=folder, stdout=nowhere, stderr=nowhere)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file that is the same from run to run."""
    return {
        name: path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in KEPT
        if not (name := path.relative_to(folder).as_posix()).startswith(VARYING)
    }


def left_behind(place: Path) -> list[str]:
    """Hidden files and folders that are no marks of ours."""
    return [path.name for path in place.rglob(".*") if path.name not in KEPT]


def main(kills: int) -> None:
    chance = random.Random(0)
    rows: list[tuple[object, ...]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        belongings(folder)
        for title, command in COMMANDS.items():
            whole = folder / "whole" / title.split()[-1].strip("-")
            began = time.perf_counter()
            assert start(command.format(out=whole), folder).wait() == 0, title
            seconds = time.perf_counter() - began
            expected, same, left = contents(whole), 0, list[str]()
            each = max(1, kills // len(COMMANDS))
            for number in range(each):
                place = folder / "killed" / f"{title.split()[-1].strip('-')}-{number}"
                line = command.format(out=place / "out")
                process = start(line, folder)
                time.sleep(chance.uniform(0.2, 1.0) * seconds)
                process.send_signal(signal.SIGKILL)
                process.wait()
                ended = start(line, folder).wait()
                same += ended == 0 and contents(place / "out") == expected
                left += left_behind(place)
            rows.append((title, each, f"{same} of {each}", ", ".join(left) or "nothing"))
            print(rows[-1], file=sys.stderr, flush=True)
    table(("command", "kills", "the same bytes", "left behind"), rows)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
