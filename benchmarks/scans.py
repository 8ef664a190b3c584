"""Real scans from file to report, with a full-size AxialNet of random weights.

Needs research data that is not part of this repository: name its folder in $HIRESCAM_DATA.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from measure import hardware, table

import hirescam
from hirescam.anatomy import LABELS
from hirescam.models.files import new_model, save_model

SCANS = (
    "ct/cip64/ct.nii.gz",
    "ct/cip64/ct.nrrd",
    "ct/cip64/dicom",
    "ct/fuzun",
    "ct/imlab/id001_ct.nii.gz",
    "ct/imlab/id002_ct.nii.gz",
)


def explained(scan: Path, model: Path, out: Path, *options: str) -> tuple[float, float, float]:
    """Seconds, peak MiB and page size in MB of the command as a user runs it."""
    command = [sys.executable, "-m", "hirescam", "explain", scan, "--model", model, "-o", out]
    start = time.perf_counter()
    process = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"hirescam explain {scan.name} failed")
    page = (out / "report.html").stat().st_size / 1e6
    return time.perf_counter() - start, usage.ru_maxrss / 1024, page


def forward_pass(model: Path) -> float:
    """Seconds of the network alone on an input of full size, in this process."""
    loaded = hirescam.accelerate(hirescam.load_model(model))
    x = torch.zeros((1, *loaded.preparation.input_shape))
    with torch.no_grad():
        loaded.network(x)
        start = time.perf_counter()
        loaded.network(x)
    return time.perf_counter() - start


def main() -> None:
    data = Path(os.environ.get("HIRESCAM_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not data.is_dir():
        raise SystemExit("no real scans here: name their folder in $HIRESCAM_DATA")
    print(f"\n## Real scans to reports, AxialNet at full size, 80 labels\n\n{hardware()}\n")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        model = save_model(
            new_model(
                name="random",
                labels=LABELS,
                preparation=hirescam.Preparation(),
                trained_on="nothing: random weights",
            ),
            Path(folder) / "random.model",
        )
        for number, name in enumerate(SCANS):
            alone = forward_pass(model)
            seconds, memory, page = explained(data / name, model, Path(folder) / str(number))
            times = f"{seconds:.1f} s", f"{alone:.1f} s", f"{seconds / alone:.1f}"
            rows.append((name, *times, f"{memory:.0f} MiB", f"{page:.1f} MB"))
    beside = "forward pass alone", "ratio"
    table(("scan", "file to report", *beside, "peak memory", "report.html"), rows)


if __name__ == "__main__":
    main()
