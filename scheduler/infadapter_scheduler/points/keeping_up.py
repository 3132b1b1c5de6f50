"""
The default policy: the most accurate point that keeps up with the arrivals, and one more where
nobody waits for it.

SlackFit prefers large batches, which are accurate ones where batching gains much. On CPUs it gains
little, and the largest batch of a slack is the least accurate network's. Here the batch is what
waits; the rate of the arrivals bounds the point, and the queue says which side of that bound.
"""

from math import inf

from infadapter_scheduler.points.frontier import frontier
from infadapter_scheduler.points.policy import Choice, Situation
from infadapter_scheduler.points.tables import Tables

FULL = 0.95
"""Of the executors' time."""

USED = 0.9
"""Of the time that whoever comes next can wait."""


class KeepingUp:
    def __init__(self, full: float = FULL, used: float = USED, more=1) -> None:
        self._more=more
        self._full, self._used = full, used
        self._frontiers = Tables(frontier)

    def choose(self, situation: Situation) -> Choice:
        fastest_s = situation.points[0].seconds[1]
        slo_s = round(min(situation.patience_s, 1e6) + fastest_s, 4)
        rungs = self._frontiers.of(situation, slo_s)
        size, longest_s = situation.size, situation.longest_s(situation.size)
        offered = situation.rate_rps / rungs[0].capacity_rps
        longest_s = min(longest_s, (self._used * slo_s - situation.behind_s) / (1.0 + offered))
        highest = self._more + sum(r.capacity_rps * self._full >= situation.rate_rps for r in rungs)
        for rung in reversed(rungs[:highest]):
            if rung.point.seconds.get(size, inf) <= longest_s:
                return Choice(rung.point.number, size)
        return Choice(rungs[0].point.number, size)

    def ran(self, situation: Situation, choice: Choice) -> None:
        """Nothing is remembered."""
