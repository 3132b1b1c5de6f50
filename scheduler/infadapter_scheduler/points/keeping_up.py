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
from infadapter_scheduler.points.tables import Tables

FOREVER_S = 1e6
FULL = 0.95
"""Of the executors' time."""


class KeepingUp:
    def __init__(self) -> None:
        self._frontiers = Tables(frontier)

    def choose(self, situation: Situation) -> Choice:
        fastest_s = situation.points[0].seconds[1]
        slo_s = round(min(situation.patience_s, FOREVER_S) + fastest_s, 4)
        rungs = self._frontiers.of(situation, slo_s)
        rate_rps, size = situation.rate_rps, situation.size
        highest = 1 + sum(rung.capacity_rps * FULL >= rate_rps for rung in rungs)
        longest_s = min(situation.longest_s(size), _until_next_s(situation, rungs[0], slo_s))
        for rung in reversed(rungs[:highest]):
            if rung.point.seconds.get(size, inf) <= longest_s:
                return Choice(rung.point.number, size)
        return Choice(rungs[0].point.number, size)

    def ran(self, situation: Situation, choice: Choice) -> None:
        """Nothing is remembered."""


def _until_next_s(situation: Situation, fastest: Rung, slo_s: float) -> float:
    """
    Whoever comes when this batch has begun waits for it and for what is planned, and is served with
    those who come meanwhile, by the fastest point if need be.
    """
    arriving = situation.rate_rps / fastest.capacity_rps
    return (slo_s - situation.behind_s) / (1.0 + arriving)
