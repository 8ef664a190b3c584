"""Memory: how much a process took at most, and how often the system found too little."""

import sys
from contextlib import suppress
from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"
_EVENTS, _KILLS = Path("/proc/vmstat"), "oom_kill "


def forget_peak() -> None:
    """Let the peak begin anew, where the system can do so (Linux)."""
    with suppress(OSError):
        _CLEAR.write_text(_RESET_PEAK)


def peak_mib() -> float | None:
    """The most memory held since `forget_peak`; elsewhere than on Linux, since the start."""
    with suppress(OSError, StopIteration):
        lines = _STATUS.read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
    try:
        import resource
    except ImportError:  # Windows does not say
        return None
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def out_of_memory_kills() -> int:
    """How many processes the system has ended for want of memory; 0 where it does not say."""
    with suppress(OSError):
        lines = _EVENTS.read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith(_KILLS))
    return 0
