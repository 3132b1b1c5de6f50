"""
Age and window of the CPU usage that metrics-server shows.

The kubelet's cAdvisor reads a container's CPU counter every 10 to 20 s (cadvisor 0.56.2,
manager/container.go: 10 s with up to 100 % jitter). metrics-server scrapes the newest reading every
15 s and shows the rate between the last two that differ; for a container that is 10 to 15 s old one
reading is enough (pkg/storage/pod.go).
"""

from dataclasses import dataclass, field

import numpy as np

READ_S = 10.0
JITTER_S = 10.0
RESOLUTION_S = 15.0  # of the shipped manifest and chart
FRESH_S = 10.0  # minimum age of a container for which one reading is enough


@dataclass(slots=True)
class Container:
    """The times of cAdvisor's readings, and the two that metrics-server has."""

    started_at_s: float
    first_read_s: float
    rng: np.random.Generator
    window: tuple[float, float] | None = None  # the interval shown, between two readings
    stored_s: float | None = None
    _read_s: float | None = field(default=None, init=False)
    _next_s: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._next_s = self.first_read_s

    def scrape(self, at_s: float) -> None:
        read_s = self._newest_s(at_s)
        if read_s is None:
            return
        self.window, self.stored_s = self._window(read_s), read_s

    def _newest_s(self, at_s: float) -> float | None:
        while self._next_s <= at_s:
            self._read_s = self._next_s
            self._next_s += READ_S + float(self.rng.uniform(0, JITTER_S))
        return self._read_s

    def _window(self, read_s: float) -> tuple[float, float] | None:
        if FRESH_S <= read_s - self.started_at_s < RESOLUTION_S:
            return self.started_at_s, read_s
        if self.stored_s is not None and read_s > self.stored_s:
            return self.stored_s, read_s
        return self.window


def container(started_at_s: float, rng: np.random.Generator) -> Container:
    """
    Return a container; cAdvisor reads a new one at once, the phase of one from before the run is
    drawn.
    """
    return Container(started_at_s, max(started_at_s, -float(rng.uniform(60, 80))), rng)
