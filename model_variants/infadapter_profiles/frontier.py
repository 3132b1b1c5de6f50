"""Select the operating points of a pod that no mixture of two other points beats."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from infadapter_profiles.sizes import Allocation, PodSize, PointCapacity

LEAST_STEP = 0.01
"""Least relative gain in rate over a more accurate point; a point with less is dropped. Rates are
not measured more precisely, and the marginal accuracy would be meaningless."""

ROUNDING = 1e-9
"""Tolerance for equal slopes: smaller differences, as between equal accuracies, are rounding."""


class Served(NamedTuple):
    """An operating point and the capacity within the SLO of a pod that uses it alone."""

    name: str
    accuracy: float
    capacity_rps: float


def frontier(points: Iterable[Served]) -> tuple[PointCapacity, ...]:
    """
    Return the points on the upper hull of accuracy × rate over rate, most accurate first.

    A pod that divides its time between two points lies on the line between them, so a point below
    that line is never needed. Points that can't serve within the SLO are left out; the result is
    empty if none can.
    """
    kept = _hull(points)
    return tuple(
        PointCapacity(
            name=p.name, accuracy=p.accuracy, capacity_ratio=p.capacity_rps / kept[-1].capacity_rps
        )
        for p in kept
    )


def allocation_of(size: PodSize, points: Iterable[Served]) -> Allocation:
    """Return the allocation with the points of `frontier`; its capacity is 0 if there are none."""
    served = tuple(points)
    kept, rates = frontier(served), {point.name: point.capacity_rps for point in served}
    return Allocation(size=size, capacity_rps=rates[kept[-1].name] if kept else 0.0, points=kept)


def mixture(allocation: Allocation, rps: float) -> Mapping[str, float]:
    """
    Return the rate at which a pod uses each point, for the highest accuracy at arrival rate `rps`.

    Up to the most accurate point's rate it uses that point alone. Above, it divides its time
    between the two points whose rates enclose `rps`. Beyond the capacity it uses the fastest. The
    result is empty without points.
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
    """Whether the slope falls at the last but one point; the hull starts at the origin."""
    before = points[-3] if len(points) > 2 else Served("", 0.0, 0.0)
    middle, last = points[-2:]
    return _slope(before, middle) > _slope(middle, last) + ROUNDING


def _slope(some: Served, other: Served) -> float:
    gained = other.accuracy * other.capacity_rps - some.accuracy * some.capacity_rps
    more_rps = other.capacity_rps - some.capacity_rps
    return gained / more_rps if more_rps else float("-inf")
