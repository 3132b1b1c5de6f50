"""
ACLO and LCAO, as in SLO-aware networks, over the operating points of any model.

ACLO is given an accuracy and takes the fastest point that reaches it; LCAO takes the most accurate
point that is in time. Which nodes of a network an input uses is decided inside the network.
"""

from collections.abc import Iterable
from math import inf

from infadapter_scheduler.points.policy import Choice, Situation, Timed


class Aclo:
    """Accuracy-constrained, latency-optimised; the most accurate point if none suffices."""

    def __init__(self, accuracy: float) -> None:
        self._accuracy = accuracy

    def choose(self, situation: Situation) -> Choice:
        size = situation.size
        enough = [point for point in situation.points if point.accuracy >= self._accuracy]
        fastest = min(enough or situation.points[-1:], key=lambda point: _seconds(point, size))
        return Choice(fastest.number, size)

    def ran(self, situation: Situation, choice: Choice) -> None:
        """Nothing is remembered."""


class Lcao:
    """Latency-constrained, accuracy-optimised; the fastest point if none is in time."""

    def choose(self, situation: Situation) -> Choice:
        size = situation.size
        longest_s = situation.longest_s(size)
        in_time = [point for point in situation.points if _seconds(point, size) <= longest_s]
        if not in_time:
            return Choice(_fastest(situation.points, size).number, size)
        return Choice(max(in_time, key=lambda point: point.accuracy).number, size)

    def ran(self, situation: Situation, choice: Choice) -> None:
        """Nothing is remembered; execution times are in the estimates it receives."""


def _fastest(points: Iterable[Timed], size: int) -> Timed:
    return min(points, key=lambda point: _seconds(point, size))


def _seconds(point: Timed, size: int) -> float:
    return point.seconds.get(size, inf)
