"""Confinement: what the process that decodes a doubtful scan may still do, set from within it.

Memory and processor time are limited where the system can do so (Linux, macOS). On Linux the
process also dies with its parent, and it can no longer write a file, open a connection, start
a program or trace another process: Landlock and seccomp, as far as the kernel has them.
"""

import ctypes
import os
import platform
import signal
import struct
import threading
from pathlib import Path

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
