"""How fast reports are labelled on one core, and how much memory ever more of them take.

    python benchmarks/labels_speed.py [rounds]

The reports are the 1,963 of Open-i (Demner-Fushman et al., JAMIA 2016) on which Draelos et al.
test their labeller, under $HIRESCAM_DATA or ../shared/data. It took 51.7 s for them (38 a
second on one core of a Sapphire-Rapids-class processor); ratios are to that number. Timed is
labelling only, in processor seconds, each round with a profile that remembers nothing.
Memory is the peak of a fresh process that reads a CSV and writes one.
"""

import csv
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from measure import hardware, table

from hirescam.reports.profile import ProfileChoice

PUBLISHED_S = 51.7
PROFILES = ("sarle-2020-cxr", "sarle-2020", "default")
TIMES = (1, 8, 64)
PEAK = """
import sys
from pathlib import Path
from hirescam.reports.label import Source, label_file
from hirescam.reports.profile import ProfileChoice
path = Path(sys.argv[1])
label_file(Source(path), path.with_name("labels.csv"), ProfileChoice("sarle-2020-cxr"))
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) / 1024)
"""
DATA = Path(os.environ.get("HIRESCAM_DATA", Path(__file__).parents[2] / "shared" / "data"))


def open_i() -> dict[str, str]:
    """The reports on which the published labeller is tested, one sentence a line."""
    folder = DATA / "reports" / "openi"
    if not folder.is_dir():
        sys.exit(f"no reports at {folder}: put those of Open-i there, or set HIRESCAM_DATA")
    training = set((folder / "openi_train_filenames.csv").read_text().split())
    reports: dict[str, list[str]] = defaultdict(list)
    with (folder / "openi_filename_section_sent.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["Filename"] not in training:
                reports[row["Filename"]].append(row["Sentence"])
    return {name: "\n".join(sentences) for name, sentences in reports.items()}


def seconds(profile: str, reports: dict[str, str]) -> float:
    ready = ProfileChoice(profile).build()
    start = time.process_time()
    for name, text in reports.items():
        ready.label(name, text)
    return time.process_time() - start


def speed(reports: dict[str, str], rounds: int) -> None:
    rows = []
    for profile in PROFILES:
        median = statistics.median(seconds(profile, reports) for _ in range(rounds))
        rows.append(
            (
                profile,
                f"{median:.3f}",
                f"{len(reports) / median:,.0f}",
                f"{PUBLISHED_S / median:.0f}×",
            )
        )
    table(("profile", "s", "reports a second", "times the published labeller's speed"), rows)


def memory(reports: dict[str, str]) -> None:
    """Distinct reports: a number in front of each sentence keeps them from being remembered."""
    rows = []
    for times in TIMES:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "reports.csv")
            with path.open("w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(("id", "report"))
                for turn in range(times):
                    for name, text in reports.items():
                        writer.writerow((f"{turn} {name}", text.replace("\n", f" {turn}.\n")))
            command = [sys.executable, "-c", PEAK, str(path)]
            peak = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        rows.append((f"{times * len(reports):,}", f"{float(peak):.0f}"))
    table(("reports", "peak MiB of the process, sarle-2020-cxr"), rows)


def main() -> None:
    reports = open_i()
    print(hardware(), end="\n\n")
    speed(reports, int(sys.argv[1]) if sys.argv[1:] else 5)
    print()
    memory(reports)


if __name__ == "__main__":
    main()
