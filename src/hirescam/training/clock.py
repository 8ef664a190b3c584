"""Clock: how fast an epoch goes, and for how much of it the device had something to do."""

from dataclasses import dataclass, field
from time import perf_counter


@dataclass
class Clock:
    """Runs from when it is made; `scans` of its epoch were done before that."""

    scans: int = 0
    waited_s: float = 0.0
    """Time in which there was nothing to compute, because a scan was still being read."""
    _began: float = field(default_factory=perf_counter)

    @property
    def seconds(self) -> float:
        return perf_counter() - self._began

    def pace(self, scans: int) -> dict[str, float]:
        """Scans of all processes per second until now; the busy share of this one's device."""
        seconds = self.seconds
        return {
            "scans_per_second": (scans - self.scans) / seconds,
            "busy_share": 1 - self.waited_s / seconds,
        }
