"""What latency a profile lets expect of a pod at a rate: the way back from a capacity."""

import math
from itertools import pairwise

from infadapter_profiles.capacity import PercentileNotMeasured, latency_curve
from infadapter_profiles.profile import Profile, ProfiledAllocation
from infadapter_profiles.sizes import CPU, Allocation


def expected_latency_s(
    profile: Profile, allocation: Allocation, rps: float, percentile: float
) -> float | None:
    """
    At the percentile, of one pod of this size that gets this rate.

    A size between two measured ones is taken to be as slow as the slower of them at the same rate
    per core. None where that was not measured: beyond the highest rate, or no curve at all.
    """
    found = [
        _latency_s(measured, rps * share, percentile)
        for measured, share in _measured(profile, allocation)
    ]
    known = [latency_s for latency_s in found if latency_s is not None]
    return max(known) if found and len(known) == len(found) else None


def _measured(profile: Profile, allocation: Allocation) -> list[tuple[ProfiledAllocation, float]]:
    """The allocation itself, or its neighbours; each with its part of the size."""
    sizes = {measured.size: measured for measured in profile.allocations}
    if allocation.size in sizes:
        return [(sizes[allocation.size], 1.0)]
    like = (CPU, allocation.batch_size)
    by_cpu = sorted(
        (m for m in profile.allocations if (m.size.kind, m.size.batch_size) == like),
        key=lambda measured: measured.resources[CPU],
    )
    for smaller, larger in pairwise(by_cpu):
        less, more = (m.resources[CPU] / allocation.cpu_millicores for m in (smaller, larger))
        if allocation.kind == CPU and less < 1 < more:
            return [(smaller, less), (larger, more)]
    return []


def _latency_s(measured: ProfiledAllocation, rps: float, percentile: float) -> float | None:
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
