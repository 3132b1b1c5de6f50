"""
The default policy: the most accurate point that sustains the arrival rate, and the next better one
while nobody waits for it.

SlackFit prefers large batches, which are accurate ones where batching gains much. On CPUs it gains
little, and the largest batch of a slack is that of the least accurate network. Here the arrival
rate bounds the point, and the queue decides which side of the bound is used. The most accurate
mixture consists of these two neighbours: if the better one lets a queue grow until only a much
faster point is in time, that costs more accuracy than it gained.
"""

from math import inf

from infadapter_scheduler.points.frontier import Rung, frontier
from infadapter_scheduler.points.policy import Choice, Situation
from infadapter_scheduler.points.tables import Tables

FOREVER_S = 1e6
FULL = 0.95
"""Utilisation of the executors up to which a point counts as sustaining the load."""

FILLED = 0.7
"""Share of the next request's waiting time that a point which does not sustain the load may use."""


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
    Return how long the next request can wait: it waits for this batch (or a share of it) and the
    planned ones, and is served together with those that come meanwhile, by the fastest point if
    needed.
    """
    arriving = situation.rate_rps / fastest.capacity_rps
    return (slo_s - _waiting_s(situation, slo_s)) / (1.0 + arriving) / situation.waited


def _unfilled_s(situation: Situation, rungs: list[Rung], keeping_up: int, slo_s: float) -> float:
    """
    Return the remaining time when the planned work is served by the point that sustains the load
    instead of the fastest.
    """
    longer = rungs[0].capacity_rps / rungs[keeping_up - 1].capacity_rps
    return (FILLED * slo_s - _waiting_s(situation, slo_s) * longer) / situation.waited


def _waiting_s(situation: Situation, slo_s: float) -> float:
    """
    Return the planned work before the next request. With several executors, work waiting for the
    others counts as well: the first request of the batch has waited for it.
    """
    if situation.waited == 1.0:
        return situation.behind_s
    return max(situation.behind_s, slo_s - situation.slack_s)
