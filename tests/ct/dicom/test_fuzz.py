"""Fuzzing, a short run of what benchmarks/fuzz_dicom.py does by the ten thousand."""

import subprocess
import sys

from make import REPO


def test_mutated_files_raise_only_our_own_errors_in_little_time_and_memory():
    script = REPO / "benchmarks" / "fuzz_dicom.py"
    run = subprocess.run(
        [sys.executable, script, "--first", "20000", "--cases", "200"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "0 cases broke a promise" in run.stdout
    assert run.stderr == ""
