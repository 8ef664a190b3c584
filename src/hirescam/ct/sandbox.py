"""Sandbox: a scan that nobody vouches for is decoded in a process with limits.

What comes back is checked like a file: numbers and text, never an object that could run code.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from hirescam import errors
from hirescam.ct.volume import Volume
from hirescam.errors import ReadError

SECONDS = 300.0
MEMORY_BYTES = 8 << 30  # three times 512 × 512 × 1,200 as float32, and room to work
_VOXELS, _RESULT = "voxels.npy", "result.json"
_ERRORS = {kind.__name__: kind for kind in vars(errors).values() if isinstance(kind, type)}


def read_volume_sandboxed(
    path: str | Path,
    *,
    seconds: float = SECONDS,
    memory_bytes: int = MEMORY_BYTES,
    **options: Any,
) -> Volume:
    """`read_volume` in a process of its own, which may take so long and so much memory.

    A process that hangs, grows or crashes is a `ReadError` that says which limit it met.
    Memory is limited where the system can do so (Linux, macOS).
    """
    path = Path(path).absolute()
    with tempfile.TemporaryDirectory(prefix="hirescam-") as folder:
        task = {"path": str(path), "memory_bytes": memory_bytes, "options": options}
        command = [sys.executable, "-P", "-m", "hirescam.ct.sandbox", folder, json.dumps(task)]
        try:
            child = subprocess.run(
                command,
                env=os.environ | {"PYTHONPATH": _import_path()},
                timeout=seconds,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ReadError(
                f"{path.name}: was not read within {seconds:g} s: fetch it again from its "
                f"source, or allow more time"
            ) from None
        return _result(Path(folder), path, child.returncode)


def _import_path() -> str:
    package = Path(__file__).parents[2]
    return os.pathsep.join(filter(None, [str(package), os.environ.get("PYTHONPATH")]))


def _result(folder: Path, path: Path, code: int) -> Volume:
    try:
        said = json.loads((folder / _RESULT).read_text())
    except (OSError, ValueError):
        raise ReadError(
            f"{path.name}: decoding it ended the process that read it (status {code}), as a "
            f"damaged or hostile file does: fetch it again from its source"
        ) from None
    if "error" in said:
        raise _ERRORS[said["error"]](said["message"])
    voxels = np.load(folder / _VOXELS, allow_pickle=False)
    return Volume(voxels, np.array(said["affine"], dtype=float), tuple(said["repairs"]))


def _serve(folder: Path, path: str, memory_bytes: int, options: dict[str, Any]) -> None:
    """Read one scan under a limit of memory, and leave what came of it in `folder`."""
    from hirescam.ct.files import read_volume  # before the limit: libraries take room too

    _limit_memory(memory_bytes)
    try:
        volume = read_volume(path, **options)
        np.save(folder / _VOXELS, volume.voxels, allow_pickle=False)
        said: dict[str, Any] = {
            "affine": volume.affine.tolist(),
            "repairs": list(volume.repairs),
        }
    except errors.HirescamError as error:
        said = {"error": type(error).__name__, "message": str(error)}
    (folder / _RESULT).write_text(json.dumps(said))


def _limit_memory(memory_bytes: int) -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    in_use = _in_use_bytes()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (in_use + memory_bytes, hard))


def _in_use_bytes() -> int:
    """Address space that the process has taken already; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), **json.loads(sys.argv[2]))
