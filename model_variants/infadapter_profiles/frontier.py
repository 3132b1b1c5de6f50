"""Which operating points of a pod are worth using: mixtures of two of them beat all others."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from infadapter_profiles.sizes import PointCapacity


class Served(NamedTuple):
    """A point, and the rate at which a pod that answers with it alone meets the SLO."""

    name: str
    accuracy: float
    capacity_rps: float


def frontier(points: Iterable[Served]) -> tuple[PointCapacity, ...]:
    """
    The points on the upper hull of accuracy × rate over rate, the most accurate first.

    A pod that answers a part of its requests with one point and the rest with another lies on the
    line between them (each takes its part of the pod's time), so a point below it is never needed.
    A point that can't serve within the SLO at all is none. Empty: none can.
    """
    kept: list[Served] = []
    for point in sorted(points, key=lambda p: (p.capacity_rps, -p.accuracy)):
        if point.capacity_rps <= 0:
            continue
        while kept and not _is_bend((*kept, point)):
            kept.pop()
        if not kept or point.capacity_rps > kept[-1].capacity_rps:
            kept.append(point)
    most_rps = kept[-1].capacity_rps if kept else 0.0
    return tuple(
        PointCapacity(name=p.name, accuracy=p.accuracy, capacity_ratio=p.capacity_rps / most_rps)
        for p in kept
    )


def _is_bend(points: Sequence[Served]) -> bool:
    """The slope falls at the last but one; before the first one the line begins at nothing."""
    before = points[-3] if len(points) > 2 else Served("", 0.0, 0.0)
    middle, last = points[-2:]
    return _slope(before, middle) > _slope(middle, last)


def _slope(some: Served, other: Served) -> float:
    gained = other.accuracy * other.capacity_rps - some.accuracy * some.capacity_rps
    more_rps = other.capacity_rps - some.capacity_rps
    return gained / more_rps if more_rps else float("-inf")
