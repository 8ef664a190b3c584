"""Dependencies: write the lock with hashes, and ask the index for whom wheels resolve.

    python dev/dependencies.py lock      requirements.lock: constraints.txt with hashes
    python dev/dependencies.py wheels    a table of Python versions and systems

Needs uv (`pip install uv`); installs nothing.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
SYSTEMS = ("linux", "windows", "macos")
HEADER = """\
# constraints.txt with the hashes of its files, for Linux and Python 3.11:
#     pip install --require-hashes -r requirements.lock && pip install --no-deps .
# Written by dev/dependencies.py lock; torch is the build for CUDA that the index offers.
"""


def compile_requirements(*options: str) -> subprocess.CompletedProcess[str]:
    command = ["uv", "pip", "compile", ROOT / "pyproject.toml", "--quiet", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def lock() -> None:
    options = ("--all-extras", "--generate-hashes", "--no-header", "--no-annotate")
    pinned = ("--constraint", str(ROOT / "constraints.txt"), "--python-version", "3.11.7")
    with tempfile.NamedTemporaryFile(suffix=".txt") as out:
        done = compile_requirements(*options, *pinned, "--output-file", out.name)
        if done.returncode:
            sys.exit(done.stderr)
        (ROOT / "requirements.lock").write_text(HEADER + Path(out.name).read_text())


def wheels() -> None:
    print("| Python | " + " | ".join(SYSTEMS) + " |")
    print("|---" * (len(SYSTEMS) + 1) + "|")
    for python in PYTHONS:
        told = [_resolves(python, system) for system in SYSTEMS]
        print(f"| {python} | " + " | ".join(told) + " |")


def _resolves(python: str, system: str) -> str:
    """Whether wheels alone install the core, and all extras, there."""
    where = ("--only-binary", ":all:", "--python-version", python, "--python-platform", system)
    core, everything = (
        compile_requirements(*where, *extra) for extra in ((), ("--extra=all",))
    )
    if core.returncode:
        return "no"
    return "all" if everything.returncode == 0 else "core"


if __name__ == "__main__":
    {"lock": lock, "wheels": wheels}[sys.argv[1]]()
