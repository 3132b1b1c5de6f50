"""
The default policy: the most accurate point that keeps up with the arrivals, and one more where
nobody waits for it.

SlackFit prefers large batches, which are accurate ones where batching gains much. On CPUs it gains
little, and the largest batch of a slack is the least accurate network's. Here the batch is what
waits; the rate of the arrivals bounds the point, and the queue says which side of that bound.
"""

from math import inf

from infadapter_scheduler.points.frontier import Rung, frontier
from infadapter_scheduler.points.policy import Choice, Situation

FULL = 0.95
"""Of the executors' time."""

USED = 0.9
"""Of the time that whoever comes next can wait."""


class KeepingUp:
    def __init__(self, full: float = FULL, used: float = USED) -> None:
        self._full, self._used = full, used
        self._known: dict[tuple[str, int, float], tuple[object, list[Rung]]] = {}

    def choose(self, situation: Situation) -> Choice:
        rungs = self._rungs(situation)
        size, longest_s = situation.size, situation.longest_s(situation.size)
        offered = situation.rate_rps / rungs[0].capacity_rps
        free_s = self._used * situation.patience_s - situation.behind_s
        longest_s = min(longest_s, free_s / (1.0 + offered))
        highest = 1 + sum(r.capacity_rps * self._full >= situation.rate_rps for r in rungs)
        for rung in reversed(rungs[:highest]):
            if rung.point.seconds.get(size, inf) <= longest_s:
                return Choice(rung.point.number, size)
        return Choice(rungs[0].point.number, size)

    def ran(self, situation: Situation, choice: Choice) -> None:
        """Nothing is remembered."""

    def _rungs(self, situation: Situation) -> list[Rung]:
        points = situation.points
        patience_s = round(min(situation.patience_s, 1e6), 4)
        key = (situation.model, points[0].number, patience_s)
        known = self._known.get(key)
        if known is None or known[0] is not points:
            if len(self._known) >= 1024:
                self._known.clear()
            known = self._known[key] = (points, frontier(points, patience_s))
        return known[1]
