"""Stop: the signals by which a scheduler takes a machine away are heard, and not fatal."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

HEARD = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGUSR1") if hasattr(signal, name))
"""SLURM sends the one that `--signal` names, most others SIGTERM."""


@contextmanager
def hearing_signals() -> Iterator[Callable[[], bool]]:
    """Whether such a signal came since the block began; afterwards they act as before.

    Python lets only its main thread hear signals: elsewhere none is heard.
    """
    heard = threading.Event()

    def hear(number: int, frame: FrameType | None) -> None:
        heard.set()

    if threading.current_thread() is not threading.main_thread():
        yield heard.is_set
        return
    before = {each: signal.signal(each, hear) for each in HEARD}
    try:
        yield heard.is_set
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
