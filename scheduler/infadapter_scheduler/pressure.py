"""
Pressure: the offered load relative to the executors' best throughput, and its consequences.

Under pressure, throughput requires large batches. Accepting a request that can only be served in a
small batch would cost several requests that cannot be served any more. And the more small batches
fill the plan, the longer it stays full: a stable state that has to be kept out of. So a new batch
is opened only with room for the size that the load needs.
"""

from dataclasses import dataclass, field

from infadapter_scheduler.estimate import DecayingRate
from infadapter_scheduler.model import Costs

WINDOW_S = 1.0
WINDOW_ARRIVALS = 300.0
"""Window, in full-batch times of all executors' arrivals: long enough to estimate the load."""

FULL = 0.95
"""Utilisation up to which batches of a size suffice before larger ones are needed."""

PRESSED = 0.9
"""Load from which a batch takes no more than the size it was opened for."""

HOPE = 1.5
"""
Factor on the arrivals expected until a batch starts: the best of 0.4 … 2 over the loads tried.
"""


@dataclass(slots=True)
class Pressure:
    """The load. Each arrival counts with its share of a full batch's time."""

    offered: DecayingRate = field(default_factory=lambda: DecayingRate(0.0, WINDOW_S))
    refused: DecayingRate = field(default_factory=lambda: DecayingRate(0.0, WINDOW_S))
    executors: int = 0
    load: float = 0.0

    def arrived(self, each_s: float, now_s: float, number: int = 1) -> None:
        executors = max(1, self.executors)
        self.offered.window_s = max(WINDOW_S, WINDOW_ARRIVALS * each_s / executors)
        self.load = self.offered.add(number * each_s, now_s) / executors

    def accepted(self, now_s: float) -> float:
        """Return the accepted share of the offered work."""
        return 1.0 - self.refused.rate(now_s) / max(1e-9, self.offered.rate(now_s))

    @property
    def pressed(self) -> bool:
        return self.load > PRESSED

    def target(self, costs: Costs, cap: int, expected: float) -> int:
        """Return the smallest batch size that sustains the load, among those that can be filled."""
        room_s = FULL * costs.seconds_each[cap] / max(1e-9, self.load)
        target = 1
        for size in costs.sizes:
            if size > cap or size > 1.0 + HOPE * expected:
                break
            target = size
            if costs.seconds_each[size] <= room_s:
                break
        return target
