"""
From what was measured of a variant to what it can serve at a latency SLO.

The capacity of a pod is the largest rate at which the SLO's percentile of the latency stays within
the SLO. Nothing is claimed beyond what was measured: not above the highest rate, not below the
smallest size, not above the largest, and not for another percentile.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate

from infadapter_solver.isotonic import interpolate, isotonic
from infadapter_solver.problem import CPU, Allocation, Amounts, PodSize, Variant

SAME = 1e-9
"""Latencies and percentiles closer than this are the same; they went through milliseconds."""


class NotMeasured(ValueError):
    """The profile does not say what a pod can serve at this SLO; the message says what it holds."""


class PercentileNotMeasured(NotMeasured):
    """No latency was measured at the percentile of the SLO."""


class LatencyNotMeasured(NotMeasured):
    """Capacities are given, and none for the latency of the SLO."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What was measured at one rate."""

    rps: float
    latency_s: Mapping[float, float]  # by percentile, of the requests that were answered
    refused_ratio: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCapacity:
    """The answer for one SLO, in place of a measured curve or beside it."""

    latency_s: float
    percentile: float
    rps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfiledAllocation:
    """One size of pod."""

    size: PodSize
    saturation_rps: float | None = None
    points: tuple[Point, ...] = ()
    capacity: tuple[KnownCapacity, ...] = ()

    @property
    def resources(self) -> Amounts:
        return self.size.resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What was measured of one variant."""

    variant: str
    accuracy: float  # a fraction
    load_time_s: float
    allocations: tuple[ProfiledAllocation, ...]


def capacity_at(
    allocation: ProfiledAllocation, slo_s: float, percentile: float, headroom: float = 1.0
) -> float:
    """
    The rate, in requests per second, that one pod serves within the SLO; 0 if none.

    Latency is taken as never falling with the rate, and as linear between measured rates. A point
    that refused more than the percentile allows exceeds any SLO: its refused requests are late.
    Raises PercentileNotMeasured or LatencyNotMeasured.
    """
    known = [c.rps for c in allocation.capacity if _is_for(c, slo_s, percentile)]
    if known:
        return headroom * known[0]
    if not allocation.points:
        raise _unknown(allocation, slo_s, percentile)
    return headroom * _crossing_rps(latency_curve(allocation, percentile), slo_s)


def latency_curve(
    allocation: ProfiledAllocation, percentile: float
) -> tuple[tuple[float, float], ...]:
    """
    Rate and latency, by rate; latency never falls, and is infinite where too many were refused.

    Raises PercentileNotMeasured.
    """
    measured = sorted((p.rps, _latency_s(p, percentile)) for p in allocation.points)
    highest_s = accumulate((latency_s for _, latency_s in measured), max)
    return tuple(zip((rps for rps, _ in measured), highest_s, strict=True))


def to_variant(
    profile: Profile,
    slo_s: float,
    percentile: float,
    *,
    headroom: float = 1.0,
    step_millicores: int | None = None,
) -> Variant:
    """
    The variant as the solver knows it, on the sizes that were measured.

    With `step_millicores`, also on the multiples of it between the smallest and the largest CPU
    size of each batch size: linear between measured sizes, after isotonic regression.
    Raises NotMeasured.
    """
    measured = [
        Allocation(
            size=allocation.size, capacity_rps=capacity_at(allocation, slo_s, percentile, headroom)
        )
        for allocation in profile.allocations
    ]
    between = _between(measured, step_millicores) if step_millicores else ()
    return Variant(
        name=profile.variant,
        accuracy=profile.accuracy,
        load_time_s=profile.load_time_s,
        allocations=(*measured, *between),
    )


MOST_SIZES = 40
"""Sizes offered of each variant: fine enough to follow the load, few enough to solve at once."""

FINEST_MILLICORES = 100


def offered(profile: Profile, slo_s: float, percentile: float) -> Variant:
    """
    The variant on all sizes that a plan may choose of it: the measured ones, and a grid between
    them. The one rule for the operator and for who asks what it would do. Raises NotMeasured.
    """
    return to_variant(profile, slo_s, percentile, step_millicores=grid_millicores(profile))


def grid_millicores(profile: Profile) -> int:
    """The step between the CPU sizes offered beside the measured ones, a multiple of 100 m."""
    sizes = [a.resources.get(CPU, 0) for a in profile.allocations]
    steps = -(-(max(sizes) - min(sizes)) // (MOST_SIZES * FINEST_MILLICORES))
    return FINEST_MILLICORES * max(1, steps)


def _crossing_rps(curve: Iterable[tuple[float, float]], slo_s: float) -> float:
    within_rps, within_s = 0.0, math.nan
    for rps, latency_s in curve:
        if latency_s > slo_s:
            if within_rps == 0.0 or math.isinf(latency_s):
                return within_rps
            found = within_rps + (rps - within_rps) * (slo_s - within_s) / (latency_s - within_s)
            return min(found, math.nextafter(rps, within_rps))  # rounded up, it would be too late
        within_rps, within_s = rps, latency_s
    return within_rps


def _latency_s(point: Point, percentile: float) -> float:
    found = [s for measured, s in point.latency_s.items() if abs(measured - percentile) < SAME]
    if not found:
        has = ", ".join(f"{measured:g}" for measured in sorted(point.latency_s)) or "none"
        raise PercentileNotMeasured(
            f"the latency at percentile {percentile:g} was not measured (measured: {has}); "
            "choose one of these or measure again"
        )
    refused_beyond = point.refused_ratio > 1 - percentile / 100 + SAME
    return math.inf if refused_beyond else found[0]


def _is_for(capacity: KnownCapacity, slo_s: float, percentile: float) -> bool:
    return abs(capacity.latency_s - slo_s) < SAME and abs(capacity.percentile - percentile) < SAME


def _unknown(allocation: ProfiledAllocation, slo_s: float, percentile: float) -> NotMeasured:
    own = [c for c in allocation.capacity if abs(c.percentile - percentile) < SAME]
    if not own:
        has = sorted({c.percentile for c in allocation.capacity})
        return PercentileNotMeasured(
            f"no capacity is given for percentile {percentile:g}, only for "
            f"{', '.join(f'{p:g}' for p in has)}; choose one of these or measure again"
        )
    has = sorted({1000 * c.latency_s for c in own})
    return LatencyNotMeasured(
        f"no capacity is given for {1000 * slo_s:g} ms, only for "
        f"{', '.join(f'{ms:g}' for ms in has)} ms; choose one of these or measure again"
    )


def _between(measured: list[Allocation], step_millicores: int) -> Iterator[Allocation]:
    """CPU sizes between the measured ones, for each batch size."""
    for batch_size in sorted({allocation.batch_size for allocation in measured}):
        own = {
            a.cpu_millicores: a.capacity_rps
            for a in measured
            if a.kind == CPU and a.batch_size == batch_size
        }
        sizes = sorted(own)
        smooth = isotonic([own[size] for size in sizes])
        for millicores in _multiples(sizes, step_millicores):
            if own[max(size for size in sizes if size < millicores)] == 0.0:
                continue  # perhaps as late as the smaller one: not between no and some capacity
            rps = interpolate(sizes, smooth, millicores)
            yield Allocation(
                size=PodSize(resources={CPU: millicores}, batch_size=batch_size), capacity_rps=rps
            )


def _multiples(sizes: list[int], step: int) -> Iterator[int]:
    if sizes:
        first = -(-sizes[0] // step) * step
        yield from (size for size in range(first, sizes[-1], step) if size not in sizes)
