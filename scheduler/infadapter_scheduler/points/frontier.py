"""
The frontier of operating points: the rate that each sustains, and which are worth choosing.

The best mixtures lie between two neighbours on the concave hull of accuracy over seconds per
request; a point below the hull is never worth its time.
"""

from collections.abc import Sequence
from typing import NamedTuple

from infadapter_scheduler.points.policy import Timed


class Rung(NamedTuple):
    """A point and the rate that it sustains."""

    point: Timed
    capacity_rps: float


def frontier(points: Sequence[Timed], patience_s: float, waited: float = 1.0) -> list[Rung]:
    """
    Return the hull from the fastest to the most accurate point. The best batch of a point is one
    for which no request waits too long: for the preceding batch (or a share of it) and its own.
    """
    longest_s = patience_s / (1.0 + waited)
    rungs = sorted((_rung(point, longest_s) for point in points), key=_fastest_first)
    hull: list[Rung] = []
    for rung in rungs:
        if hull and rung.point.accuracy <= hull[-1].point.accuracy:
            continue
        while len(hull) > 1 and _gain(hull[-2], hull[-1]) <= _gain(hull[-2], rung):
            hull.pop()
        hull.append(rung)
    return hull


def _rung(point: Timed, longest_s: float) -> Rung:
    fit = {b: t for b, t in point.seconds.items() if t <= longest_s}
    best = max(b / t for b, t in (fit or {1: point.seconds[1]}).items())
    return Rung(point, best)


def _fastest_first(rung: Rung) -> tuple[float, float]:
    return -rung.capacity_rps, -rung.point.accuracy


def _gain(low: Rung, high: Rung) -> float:
    """Return the accuracy gained per additional second of a request."""
    longer_s = 1 / high.capacity_rps - 1 / low.capacity_rps
    gained = high.point.accuracy - low.point.accuracy
    return gained / longer_s if longer_s > 0 else float("inf")
