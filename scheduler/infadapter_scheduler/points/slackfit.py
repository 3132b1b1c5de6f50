"""
SlackFit (SuperServe, NSDI'25): the slack of the earliest deadline chooses point and batch together.

Latency buckets are evenly spaced from a single request at the fastest point to the largest batch of
the most accurate one. Each contains the largest batch that is faster than the bucket, and of equal
batches the most accurate point. (The tie-break and the number of buckets are ours; the paper does
not give them.)
"""

from collections.abc import Sequence
from typing import NamedTuple

from infadapter_scheduler.points.policy import Choice, Situation, Timed
from infadapter_scheduler.points.tables import Tables

BUCKETS = 64


class Buckets(NamedTuple):
    """The choices by latency: `choices[i]` take at most `least_s + i · step_s`."""

    least_s: float
    step_s: float
    choices: Sequence[Choice]

    def within(self, slack_s: float) -> Choice:
        """Return the choice of the largest bucket below the slack, or the first."""
        last = len(self.choices) - 1
        if slack_s >= self.least_s + last * self.step_s:
            return self.choices[last]
        if slack_s <= self.least_s:
            return self.choices[0]
        return self.choices[int((slack_s - self.least_s) / self.step_s)]


class SlackFit:
    """As published. If fewer requests wait than the chosen batch, these are run."""

    def __init__(self, buckets: int = BUCKETS) -> None:
        self._tables = Tables(lambda points: bucketed(points, buckets))

    def choose(self, situation: Situation) -> Choice:
        found = self._tables.of(situation).within(situation.slack_s)
        return filled(found.number, found.size, situation)

    def ran(self, situation: Situation, choice: Choice) -> None:
        """Nothing is remembered."""


def bucketed(points: Sequence[Timed], buckets: int) -> Buckets:
    tuples = [(size, point, s) for point in points for size, s in point.seconds.items()]
    least_s = min(seconds for _, _, seconds in tuples)
    step_s = (max(seconds for _, _, seconds in tuples) - least_s) / buckets
    choices = []
    for bucket in range(buckets + 1):
        end_s = least_s + bucket * step_s
        fit = [(size, point) for size, point, seconds in tuples if seconds <= end_s]
        size, point = max(fit, key=lambda found: (found[0], found[1].accuracy))
        choices.append(Choice(point.number, size))
    return Buckets(least_s, step_s, choices)


def filled(number: int, size: int, situation: Situation) -> Choice:
    """Return the largest size of the point, up to `size`, that can be filled."""
    point = next(point for point in situation.points if point.number == number)
    most = min(size, situation.waiting)
    return Choice(number, max(b for b in point.seconds if b <= most))
