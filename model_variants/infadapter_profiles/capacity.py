"""
Capacity of a pod at a latency SLO, computed from the profile of its variant.

The capacity of a pod is the largest rate at which the SLO's percentile of the latency stays within
the SLO. Results never extrapolate beyond the measurements: not above the highest rate, not outside
the smallest and largest sizes, and not to another percentile.
"""

import math
from collections.abc import Iterable
from itertools import accumulate, pairwise

from infadapter_profiles.frontier import mixture
from infadapter_profiles.profile import KnownCapacity, Point, Profile, ProfiledAllocation
from infadapter_profiles.sizes import CPU, Allocation

SAME = 1e-9
"""Tolerance for equal latencies (s) and percentiles, which are rounded by unit conversion."""


class NotMeasured(ValueError):
    """The profile has no capacity for this SLO; the message lists the SLOs that it has."""


class PercentileNotMeasured(NotMeasured):
    """The profile has no latencies at the SLO's percentile."""


class LatencyNotMeasured(NotMeasured):
    """The profile gives known capacities, but none for the SLO's latency."""


def capacity_at(
    allocation: ProfiledAllocation, slo_s: float, percentile: float, headroom: float = 1.0
) -> float:
    """
    Return the rate, in requests per second, that one pod serves within the SLO; 0 if none.

    The latency curve is non-decreasing in the rate and linear between measured rates. A point that
    refused more than the percentile allows exceeds any SLO, since refused requests count as late.
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
    Return (rps, latency_s) pairs by rising rate, with latencies made non-decreasing.

    Latency is infinite where the refused ratio exceeds what the percentile allows.

    Raises PercentileNotMeasured.
    """
    measured = sorted((p.rps, _latency_s(p, percentile)) for p in allocation.points)
    highest_s = accumulate((latency_s for _, latency_s in measured), max)
    return tuple(zip((rps for rps, _ in measured), highest_s, strict=True))


def _crossing_rps(curve: Iterable[tuple[float, float]], slo_s: float) -> float:
    within_rps, within_s = 0.0, math.nan
    for rps, latency_s in curve:
        if latency_s > slo_s:
            if within_rps == 0.0 or math.isinf(latency_s):
                return within_rps
            found = within_rps + (rps - within_rps) * (slo_s - within_s) / (latency_s - within_s)
            return min(found, math.nextafter(rps, within_rps))  # rounding up would exceed the SLO
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


def expected_latency_s(
    profile: Profile, allocation: Allocation, rps: float, percentile: float
) -> float | None:
    """
    Return the latency, at the percentile, of one pod of this size at the arrival rate `rps`.

    This inverts `capacity_at`. A size between two measured sizes gets the higher of their
    latencies at the same rate per core. A pod that mixes two operating points gets the higher of
    the latencies that each point has at its own full rate. Return None where nothing was measured:
    above the highest rate, or without any latency curve.
    """
    found = [
        _latency_at_s(measured, point_rps * share, percentile)
        for point, point_rps in _rates(allocation, rps)
        for measured, share in _neighbours(profile, allocation, point)
    ]
    known = [latency_s for latency_s in found if latency_s is not None]
    return max(known) if found and len(known) == len(found) else None


def _rates(allocation: Allocation, rps: float) -> list[tuple[str | None, float]]:
    """Return the points that a pod uses at this rate, each with the rate for its latency curve."""
    if not allocation.points:
        return [(None, rps)]
    used = mixture(allocation, rps)
    if len(used) == 1:
        return [(point, rps) for point in used]
    return [
        (point.name, point.capacity_ratio * allocation.capacity_rps * (1 - SAME))
        for point in allocation.points
        if point.name in used
    ]


def _neighbours(
    profile: Profile, allocation: Allocation, point: str | None
) -> list[tuple[ProfiledAllocation, float]]:
    """Return the allocations at or around this size, each with its CPU ratio to the size."""
    rows = [measured for measured in profile.allocations if measured.operating_point == point]
    sizes = {measured.size: measured for measured in rows}
    if allocation.size in sizes:
        return [(sizes[allocation.size], 1.0)]
    like = (CPU, allocation.batch_size)
    by_cpu = sorted(
        (m for m in rows if (m.size.kind, m.size.batch_size) == like),
        key=lambda measured: measured.resources[CPU],
    )
    for smaller, larger in pairwise(by_cpu):
        less, more = (m.resources[CPU] / allocation.cpu_millicores for m in (smaller, larger))
        if allocation.kind == CPU and less < 1 < more:
            return [(smaller, less), (larger, more)]
    return []


def _latency_at_s(measured: ProfiledAllocation, rps: float, percentile: float) -> float | None:
    try:
        curve = latency_curve(measured, percentile)
    except PercentileNotMeasured:
        return None
    finite = [(rate, latency_s) for rate, latency_s in curve if math.isfinite(latency_s)]
    if finite and rps <= finite[0][0]:
        return finite[0][1]
    for (before, before_s), (after, after_s) in pairwise(finite):
        if rps <= after:
            return before_s + (after_s - before_s) * (rps - before) / (after - before)
    return None
