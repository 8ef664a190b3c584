"""Sandbox: a scan that nobody vouches for is decoded in a process with limits."""

import ctypes
import json
import os
import platform
import signal
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, Any

import numpy as np

from hirescam import errors
from hirescam.ct.volume import Volume
from hirescam.errors import ReadError

# --- Confinement: what the process that decodes a doubtful scan may still do
# Memory and processor time are limited where the system can do so (Linux, macOS). On Linux the
# process also dies with its parent, and it can no longer write a file, open a connection, start
# a program or trace another process: Landlock and seccomp, as far as the kernel has them.

_SET_PARENT_DEATH_SIGNAL, _SET_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 1, 38, 22, 2
_LANDLOCK_CREATE, _LANDLOCK_RESTRICT, _LANDLOCK_VERSION = 444, 446, 1
_WRITES = {1: 0x1FF2, 2: 0x3FF2, 3: 0x7FF2}
"""Landlock's rights to change the file system by version: all but reading and executing."""
_CONNECTIONS = 0b11  # bind and connect, from version 4
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06  # of the Berkeley Packet Filter
_ALLOW, _DENY = 0x7FFF0000, 0x00050000 | 1  # EPERM
_FORBIDDEN = {
    "x86_64": (0xC000003E, (41, 53, 59, 322, 101, 310, 311, 321, 425)),
    "aarch64": (0xC00000B7, (198, 199, 221, 281, 117, 270, 271, 280, 425)),
}
"""The architecture's tag; socket, socketpair, execve, execveat, ptrace, process_vm_readv and
_writev, bpf, io_uring_setup."""


def confine(*, seconds: float, memory_bytes: int, parent: int) -> None:
    """Give up, for the rest of this process, what decoding a scan does not need.

    What the system does not offer is left out; the time limit of the parent holds in any case.
    """
    _die_with(parent)
    _limit(seconds, memory_bytes)
    if platform.system() == "Linux":
        library = ctypes.CDLL(None)
        library.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        _deny_writes(library)
        _deny_calls(library)


def _die_with(parent: int) -> None:
    """End when the parent ends: by the kernel on Linux, elsewhere when its pipe closes."""
    threading.Thread(target=_end_with_input, daemon=True).start()
    if platform.system() == "Linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it ended before the kernel was told
            os._exit(1)


def _end_with_input() -> None:
    """Wait for the end of standard input, which the parent holds open while it lives."""
    try:
        while os.read(0, 1):
            pass
    except OSError:
        return
    os._exit(1)


def _limit(seconds: float, memory_bytes: int) -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_in_use_bytes() + memory_bytes, hard))
    busy = int(seconds * min(os.cpu_count() or 1, 4)) + 2  # some decoders use threads
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (busy, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold the scan


def _in_use_bytes() -> int:
    """Address space that the process has taken already; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _deny_writes(library: ctypes.CDLL) -> None:
    version = library.syscall(_LANDLOCK_CREATE, None, 0, _LANDLOCK_VERSION)
    if version < 1:
        return
    rights = struct.pack("QQ", _WRITES[min(version, 3)], _CONNECTIONS if version > 3 else 0)
    rights = rights if version > 3 else rights[:8]
    ruleset = library.syscall(_LANDLOCK_CREATE, rights, len(rights), 0)
    if ruleset >= 0:
        library.syscall(_LANDLOCK_RESTRICT, ruleset, 0)
        os.close(ruleset)


def _deny_calls(library: ctypes.CDLL) -> None:
    if platform.machine() not in _FORBIDDEN:
        return
    tag, numbers = _FORBIDDEN[platform.machine()]
    count = len(numbers)
    steps = [(_LOAD, 0, 0, 4), (_EQUAL, 0, count + 1, tag), (_LOAD, 0, 0, 0)]
    steps += [(_EQUAL, count - at, 0, number) for at, number in enumerate(numbers)]
    steps += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _DENY)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code))
    library.prctl(_SET_SECCOMP, _FILTER, program, 0, 0)


# --- Sandbox: a scan that nobody vouches for is decoded in a process with limits
# What comes back is checked like a file: numbers and text, never an object that could run code.
# It comes through a file without a name, so that nothing is left behind whichever process dies.

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
    from hirescam.ct.reading import read_volume  # before the limits: libraries take room too

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
