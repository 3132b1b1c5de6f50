"""
Pressure: the offered load beside what executors can do at their best batches, and what follows.

When they are pressed, throughput is in large batches. A request that could only be served in a
small one would be accepted at the cost of several that could not be served any more, and the more
small batches fill the plan, the longer it stays full: that state is stable, and has to be kept out
of. So a new batch is given room for the size that the load needs, and is not opened without.
"""

from dataclasses import dataclass, field

from infadapter_scheduler.estimate import DecayingRate
from infadapter_scheduler.model import Costs

WINDOW_S = 1.0
WINDOW_ARRIVALS = 300.0
"""Of all executors, in whose time of full batches they take: enough to know the load by."""

FULL = 0.95
"""Of the executors' time, what batches of a size may fill before larger ones are needed."""

PRESSED = 0.9
"""From this load on, a batch takes no more than the size it was opened for."""

HOPE = 1.5
"""Arrivals until a batch starts, of those expected: the best of 0.4 … 2 over the loads tried."""


@dataclass(slots=True)
class Pressure:
    """Each arrival counts as its share of the time of a full batch."""

    offered: DecayingRate = field(default_factory=lambda: DecayingRate(0.0, WINDOW_S))
    refused: DecayingRate = field(default_factory=lambda: DecayingRate(0.0, WINDOW_S))
    executors: int = 0
    load: float = 0.0

    def arrived(self, each_s: float, now_s: float, number: int = 1) -> None:
        executors = max(1, self.executors)
        self.offered.window_s = max(WINDOW_S, WINDOW_ARRIVALS * each_s / executors)
        self.load = self.offered.add(number * each_s, now_s) / executors

    def accepted(self, now_s: float) -> float:
        """The share of the offered work."""
        return 1.0 - self.refused.rate(now_s) / max(1e-9, self.offered.rate(now_s))

    @property
    def pressed(self) -> bool:
        return self.load > PRESSED

    def target(self, costs: Costs, cap: int, expected: float) -> int:
        """The smallest batch that keeps up with the load, of those that so many can fill."""
        room_s = FULL * costs.seconds_each[cap] / max(1e-9, self.load)
        target = 1
        for size in costs.sizes:
            if size > cap or size > 1.0 + HOPE * expected:
                break
            target = size
            if costs.seconds_each[size] <= room_s:
                break
        return target
