"""Which operating points of a pod are worth using: mixtures of two of them beat all others."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from infadapter_profiles.sizes import Allocation, PodSize, PointCapacity

LEAST_STEP = 0.01
"""A point that is less than a hundredth faster than a more accurate one is none: rates are not
measured that closely, and what the last requests would cost in accuracy would be no number."""

ROUNDING = 1e-9
"""Slopes that differ by less differ by how they were computed: points of one accuracy are none."""


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
    kept = _hull(points)
    return tuple(
        PointCapacity(
            name=p.name, accuracy=p.accuracy, capacity_ratio=p.capacity_rps / kept[-1].capacity_rps
        )
        for p in kept
    )


def allocation_of(size: PodSize, points: Iterable[Served]) -> Allocation:
    """A pod of this size with those that are worth using; it serves nothing where none can."""
    served = tuple(points)
    kept, rates = frontier(served), {point.name: point.capacity_rps for point in served}
    return Allocation(size=size, capacity_rps=rates[kept[-1].name] if kept else 0.0, points=kept)


def mixture(allocation: Allocation, rps: float) -> Mapping[str, float]:
    """
    The rates at which a pod answers with each of its points, as accurately as it can.

    With the most accurate one as long as that keeps up, then with the two that the rate lies
    between, each for a part of the time. Beyond the capacity, with the fastest; empty: no points.
    """
    points = allocation.points
    rates = [point.capacity_ratio * allocation.capacity_rps for point in points]
    if not points or rps <= rates[0]:
        return {point.name: rps for point in points[:1]}
    for (slow, slow_rps), (fast, fast_rps) in pairwise(zip(points, rates, strict=True)):
        if rps < fast_rps:
            of_time = (rps - slow_rps) / (fast_rps - slow_rps)
            return {slow.name: (1 - of_time) * slow_rps, fast.name: of_time * fast_rps}
    return {points[-1].name: rps}


def _hull(points: Iterable[Served]) -> list[Served]:
    kept: list[Served] = []
    for point in sorted(points, key=lambda p: (p.capacity_rps, -p.accuracy)):
        if point.capacity_rps <= 0:
            continue
        while kept and not _is_bend((*kept, point)):
            kept.pop()
        if not kept or point.capacity_rps > (1 + LEAST_STEP) * kept[-1].capacity_rps:
            kept.append(point)
    return kept


def _is_bend(points: Sequence[Served]) -> bool:
    """The slope falls at the last but one; before the first one the line begins at nothing."""
    before = points[-3] if len(points) > 2 else Served("", 0.0, 0.0)
    middle, last = points[-2:]
    return _slope(before, middle) > _slope(middle, last) + ROUNDING


def _slope(some: Served, other: Served) -> float:
    gained = other.accuracy * other.capacity_rps - some.accuracy * some.capacity_rps
    more_rps = other.capacity_rps - some.capacity_rps
    return gained / more_rps if more_rps else float("-inf")
