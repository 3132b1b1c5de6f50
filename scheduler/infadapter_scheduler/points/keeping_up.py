"""
The default policy: the most accurate point that keeps up with the arrivals, and one more where
nobody waits for it.

SlackFit prefers large batches, which are accurate ones where batching gains much. On CPUs it gains
little, and the largest batch of a slack is the least accurate network's. Here the batch is what
waits; the rate of the arrivals bounds the point, and the queue says which side of that bound. The
most accurate mixture is one of these two neighbours: a queue that the better one has let grow until
only a much faster point is in time costs more accuracy than it has gained.
"""

from math import inf

from infadapter_scheduler.points.frontier import Rung, frontier
from infadapter_scheduler.points.policy import Choice, Situation
from infadapter_scheduler.points.tables import Tables

FOREVER_S = 1e6
FULL = 0.95
"""Of the executors' time."""

FILLED = 0.7
"""Of the time that the next one can wait, what a point that doesn't keep up may leave filled."""


class KeepingUp:
    def __init__(self) -> None:
        self._frontiers = Tables(frontier)

    def choose(self, situation: Situation) -> Choice:
        fastest_s = situation.points[0].seconds[1]
        slo_s = round(min(situation.patience_s, FOREVER_S) + fastest_s, 4)
        rungs = self._frontiers.of(situation, slo_s, situation.waited)
        size = situation.size
        keeping_up = sum(rung.capacity_rps * FULL >= situation.rate_rps for rung in rungs)
        longest_s = min(situation.longest_s(size), _until_next_s(situation, rungs[0], slo_s))
        for number in range(min(keeping_up, len(rungs) - 1), -1, -1):
            if number == keeping_up > 0:
                most_s = min(longest_s, _unfilled_s(situation, rungs, keeping_up, slo_s))
            else:
                most_s = longest_s
            if rungs[number].point.seconds.get(size, inf) <= most_s:
                break
        return Choice(rungs[number].point.number, size)

    def ran(self, situation: Situation, choice: Choice) -> None:
        """Nothing is remembered."""


def _until_next_s(situation: Situation, fastest: Rung, slo_s: float) -> float:
    """
    Whoever comes when this batch has begun waits for it (of several executors, for a share of it)
    and for what is planned, and is served with those who come meanwhile, by the fastest point if
    need be.
    """
    arriving = situation.rate_rps / fastest.capacity_rps
    return (slo_s - _waiting_s(situation, slo_s)) / (1.0 + arriving) / situation.waited


def _unfilled_s(situation: Situation, rungs: list[Rung], keeping_up: int, slo_s: float) -> float:
    """What is planned takes the point that keeps up longer than it does the fastest."""
    longer = rungs[0].capacity_rps / rungs[keeping_up - 1].capacity_rps
    return (FILLED * slo_s - _waiting_s(situation, slo_s) * longer) / situation.waited


def _waiting_s(situation: Situation, slo_s: float) -> float:
    """
    The work that is planned before whoever comes next. Of several executors what waits for the
    others counts as well: the first of the batch has waited for it.
    """
    if situation.waited == 1.0:
        return situation.behind_s
    return max(situation.behind_s, slo_s - situation.slack_s)
