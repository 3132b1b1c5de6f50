"""
Model-Switching and Jellyfish+ as RAMSIS's authors coded them: one network for all, by the load.

Model-Switching looks up what was decided for the load beforehand; Jellyfish+ takes the most
accurate network that serves the load and a margin. Both choose for an interval, not for a batch.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from infadapter_scheduler.points.policy import Choice, Situation, Timed
from infadapter_scheduler.points.slackfit import filled
from infadapter_scheduler.points.tables import Tables

MARGIN = 1.05
"""Throughput required as a multiple of the load."""


class Decided(NamedTuple):
    """A point by name, and its largest batch."""

    point: str
    cap: int


class ModelSwitching:
    """
    `decided` are the choices by requests per second and executor; beyond the last one it applies.
    """

    def __init__(self, decided: Mapping[float, Decided]) -> None:
        self._loads_rps = sorted(decided)
        self._decided = [decided[load_rps] for load_rps in self._loads_rps]

    def choose(self, situation: Situation) -> Choice:
        at = bisect_left(self._loads_rps, situation.rate_rps)
        found = self._decided[min(at, len(self._decided) - 1)]
        number = next((p.number for p in situation.points if p.name == found.point), None)
        if number is None:
            return Choice(situation.points[0].number, situation.size)
        return filled(number, found.cap, situation)

    def ran(self, situation: Situation, choice: Choice) -> None:
        """Nothing is remembered."""


class JellyfishPlus:
    """
    The most accurate point with throughput ≥ 1.05 × the load, in batches of at most half the SLO.
    """

    def __init__(self, slo_s: float) -> None:
        self._tables = Tables(lambda points: batched(points, slo_s / 2))

    def choose(self, situation: Situation) -> Choice:
        known = self._tables.of(situation)
        for number, size, capacity_rps in reversed(known):
            if capacity_rps >= MARGIN * situation.rate_rps:
                return filled(number, size, situation)
        fastest = max(known, key=lambda found: found[2])
        return filled(fastest[0], fastest[1], situation)

    def ran(self, situation: Situation, choice: Choice) -> None:
        """Nothing is remembered."""


def batched(points: Sequence[Timed], longest_s: float) -> list[tuple[int, int, float]]:
    """
    Return each point's number, its largest batch that is fast enough, and the throughput of that.
    """
    found = []
    for point in points:
        size = max((b for b, t in point.seconds.items() if t <= longest_s), default=0)
        if size:
            found.append((point.number, size, size / point.seconds[size]))
    return found or [(points[0].number, 1, 1 / points[0].seconds[1])]
