"""Baselines for comparison: policies that ignore slack, load, or both."""

from infadapter_scheduler.points.policy import Choice, Situation
from infadapter_scheduler.points.slackfit import filled


class LowestAccuracy:
    """INFaaS without an accuracy threshold: always the cheapest allowed point."""

    def choose(self, situation: Situation) -> Choice:
        return Choice(situation.points[0].number, situation.size)

    def ran(self, situation: Situation, choice: Choice) -> None:
        """Nothing is remembered."""


class MaxBatch:
    """
    The largest batch that the fastest point serves within the slack, then the best accuracy for
    that batch.
    """

    def choose(self, situation: Situation) -> Choice:
        fastest = situation.points[0]
        able = [b for b in fastest.seconds if b <= situation.waiting]
        size = max((b for b in able if fastest.seconds[b] < situation.slack_s), default=max(able))
        fit = [
            p
            for p in situation.points
            if p.seconds.get(size, situation.slack_s) < situation.slack_s
        ]
        return Choice((fit or [fastest])[-1].number, size)

    def ran(self, situation: Situation, choice: Choice) -> None:
        """Nothing is remembered."""


class MaxAccuracy:
    """The most accurate point that serves one request within the slack, then its largest batch."""

    def choose(self, situation: Situation) -> Choice:
        fit = [p for p in situation.points if p.seconds[1] < situation.slack_s]
        point = (fit or [situation.points[0]])[-1]
        able = [b for b in point.seconds if b <= situation.waiting]
        size = max((b for b in able if point.seconds[b] < situation.slack_s), default=1)
        return Choice(point.number, size)

    def ran(self, situation: Situation, choice: Choice) -> None:
        """Nothing is remembered."""


class Fixed:
    """One fixed point, as in Clipper. Behind admission, restrict the allowed points instead."""

    def __init__(self, number: int) -> None:
        self._number = number

    def choose(self, situation: Situation) -> Choice:
        return filled(self._number, situation.waiting, situation)

    def ran(self, situation: Situation, choice: Choice) -> None:
        """Nothing is remembered."""
