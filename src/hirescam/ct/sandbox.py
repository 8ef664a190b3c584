"""Sandbox: a scan that nobody vouches for is decoded in a process with limits.

What comes back is checked like a file: numbers and text, never an object that could run code.
It comes through a file without a name, so that nothing is left behind whichever process dies.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Any

import numpy as np

from hirescam import errors
from hirescam.ct.confinement import confine
from hirescam.ct.volume import Volume
from hirescam.errors import ReadError

SECONDS = 300.0
MEMORY_BYTES = 8 << 30  # three times 512 × 512 × 1,200 as float32, and room to work
_ERRORS = {kind.__name__: kind for kind in vars(errors).values() if isinstance(kind, type)}


def read_volume_sandboxed(
    path: str | Path,
    *,
    seconds: float = SECONDS,
    memory_bytes: int = MEMORY_BYTES,
    **options: Any,
) -> Volume:
    """`read_volume` in a process of its own, which may take so long and so much memory.

    A process that hangs, grows or crashes is a `ReadError` that says which limit it met. It
    ends with the one that asked. What else it may not do, system by system: `confine`.
    """
    path = Path(path).absolute()
    task = {"path": str(path), "options": options}
    limits = {"seconds": seconds, "memory_bytes": memory_bytes, "parent": os.getpid()}
    command = [sys.executable, "-P", "-m", "hirescam.ct.sandbox", json.dumps([task, limits])]
    with (
        tempfile.TemporaryFile(prefix="hirescam-") as result,
        subprocess.Popen(
            command,
            env=os.environ | {"PYTHONPATH": _import_path()},
            stdin=subprocess.PIPE,  # never written to; its end tells that this process ended
            stdout=result,
            stderr=subprocess.DEVNULL,
        ) as child,
    ):
        try:
            code = child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise ReadError(
                f"{path.name}: was not read within {seconds:g} s: fetch it again from its "
                f"source, or allow more time"
            ) from None
        finally:
            child.kill()
        return _received(result, path, code)


def _import_path() -> str:
    package = Path(__file__).parents[2]
    return os.pathsep.join(filter(None, [str(package), os.environ.get("PYTHONPATH")]))


def _received(result: IO[bytes], path: Path, code: int) -> Volume:
    """What the process left: a line of JSON, then the voxels as NPY."""
    result.seek(0)
    try:
        said = json.loads(result.readline())
    except ValueError:
        raise ReadError(
            f"{path.name}: decoding it ended the process that read it (status {code}), as a "
            f"damaged or hostile file does: fetch it again from its source"
        ) from None
    if "error" in said:
        raise _ERRORS[said["error"]](said["message"])
    voxels = np.load(result, allow_pickle=False)
    return Volume(voxels, np.array(said["affine"], dtype=float), tuple(said["repairs"]))


def _serve(task: dict[str, Any], limits: dict[str, Any]) -> None:
    """Read one scan under limits, and leave what came of it in standard output."""
    from hirescam.ct.files import read_volume  # before the limits: libraries take room too

    with os.fdopen(os.dup(1), "wb") as result:
        os.dup2(2, 1)  # what a decoder prints is not part of the answer
        confine(**limits)
        try:
            volume = read_volume(task["path"], **task["options"])
        except errors.HirescamError as error:
            said = {"error": type(error).__name__, "message": str(error)}
            result.write(json.dumps(said).encode() + b"\n")
        else:
            origin = {"affine": volume.affine.tolist(), "repairs": list(volume.repairs)}
            result.write(json.dumps(origin).encode() + b"\n")
            np.save(result, volume.voxels, allow_pickle=False)


if __name__ == "__main__":
    _serve(*json.loads(sys.argv[1]))
